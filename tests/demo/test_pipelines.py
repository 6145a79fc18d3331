"""The pipelines in memory."""

import gc
import weakref

import pytest

from mindone_tcd.demo.offers import Key
from mindone_tcd.demo.options import Options
from mindone_tcd.demo.pipelines import Pipelines
from mindone_tcd.generate import loading


class Pipe:
    pipeline = property(lambda self: self)

    def set_progress_bar_config(self, disable):
        assert disable


@pytest.fixture
def loaded(monkeypatch):
    """The arguments of each load; nothing is loaded."""
    calls = []

    def load(task, model, **arguments):
        calls.append((task, model, {name: value for name, value in arguments.items() if value is not None}))
        return Pipe()

    monkeypatch.setattr(loading, "load", load)
    return calls


def test_a_pipeline_is_loaded_once(loaded):
    pipelines = Pipelines(Options())
    key = Key("text-to-image", "tcd")
    assert key not in pipelines
    assert pipelines.get(key) is pipelines.get(key)
    assert key in pipelines
    assert loaded == [("text-to-image", "shapes", {"method": "tcd"})]


def test_what_is_loaded(loaded):
    options = Options("model", "lora", {"canny": "network"}, "motion", "float16", kept=9)
    pipelines = Pipelines(options)
    for key in (
        Key("text-to-image", "lcm", quantize="int8"),
        Key("controlnet", "tcd", "canny"),
        Key("animate", "tcd", motion="zoom-in"),
    ):
        pipelines.get(key)
    common = {"lora": "lora", "dtype": "float16"}
    assert loaded == [
        ("text-to-image", "model", {"method": "lcm", "quantize": "int8", **common}),
        ("controlnet", "model", {"method": "tcd", "control": {"canny": "network"}, **common}),
        ("animate", "model", {"method": "tcd", "motion_adapter": "motion", "motion": "zoom-in", **common}),
    ]


def test_the_one_that_was_not_used_for_longest_is_dropped(loaded):
    pipelines = Pipelines(Options(kept=2))
    a, b, c = (Key("text-to-image", "tcd", kind) for kind in "abc")
    dropped = weakref.ref(pipelines.get(b))
    kept = pipelines.get(a)
    assert dropped() is not None
    pipelines.get(c)
    gc.collect()
    assert dropped() is None
    assert pipelines.get(a) is kept
    assert [key in pipelines for key in (a, b, c)] == [True, False, True]
