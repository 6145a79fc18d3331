"""The selftest reports correct images, and names those that are not correct."""

from types import SimpleNamespace

import numpy as np
import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.selftest import cases, run


def _loaded(**options):
    """Replaces a loaded model. Its pipeline is never called."""
    pipeline = SimpleNamespace(components={}, set_progress_bar_config=lambda **options: None)
    return SimpleNamespace(dtype="float32", pipeline=pipeline)


@pytest.fixture
def report(monkeypatch):
    """Run the selftest with stored images instead of generated ones."""
    from mindone_tcd.compiled import pipeline
    from mindone_tcd.generate import loading

    monkeypatch.setattr(loading, "load", _loaded)
    monkeypatch.setattr(pipeline, "compile_pipeline", lambda pipe: pipe)

    def report(make):
        lines = []
        monkeypatch.setattr(run, "_twice", lambda pipe, case: make(_full(case)))
        return run.selftest(say=lines.append), "\n".join(lines)

    return report


def _full(case):
    (name,) = (name for name, other in cases.CASES.items() if other is case)
    return np.repeat(np.repeat(cases.known()[name], 4, axis=1), 4, axis=2)


def test_known_images_pass(report):
    good, text = report(lambda images: (images, 2.0, 1.0, True))
    assert good
    assert "6 of 6 passed" in text
    assert "mindone-tcd" in text.splitlines()[0]
    assert "float32" in text.splitlines()[1]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda images: (images + 2e-4, 2.0, 1.0, True), "DIFFERS"),
        (lambda images: (images + 0.002 * (images == images.max()), 2.0, 1.0, True), "DIFFERS"),
        (lambda images: (images * np.nan, 2.0, 1.0, True), "DIFFERS"),
        (lambda images: (images, 2.0, 1.0, False), "SECOND RUN DIFFERS"),
    ],
)
def test_other_images_fail(report, make, word):
    good, text = report(make)
    assert not good
    assert text.count(word) == 6
    assert "0 of 6 passed" in text


def test_an_error_does_not_stop_the_report(report):
    calls = []

    def make(images):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("no such kernel\nand much more")
        return images, 2.0, 1.0, True

    good, text = report(make)
    assert not good
    assert "compiled  failed: no such kernel" in text
    assert "and much more" not in text
    assert "5 of 6 passed" in text


def test_an_unsupported_dtype_is_refused_at_once():
    with pytest.raises(UsageError, match="bfloat16 does not run on a CPU"):
        run.selftest("bfloat16", say=print)


@pytest.mark.slow
def test_the_selftest_generates_the_images(monkeypatch):
    monkeypatch.setattr(run, "CHECKED", ("tcd-2-eta-1",))
    lines = []
    assert run.selftest(say=lines.append), "\n".join(lines)
    eager, compiled = (line.split() for line in lines if line.startswith("tcd-2"))
    assert (eager[1], compiled[1]) == ("eager", "compiled")
    assert max(float(eager[2]), float(compiled[2])) < 1e-4
