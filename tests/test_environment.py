import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import PIL
import pytest

import mindone_tcd
from mindone_tcd import environment
from mindone_tcd.errors import UsageError


@pytest.mark.parametrize(("missing", "remedy"), [("mindspore", "mindspore==2.7.1"), ("mindone", "mindone==0.5")])
def test_the_error_names_the_missing_package_and_the_remedy(monkeypatch, missing, remedy):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(UsageError, match=rf"(?i){missing} is not installed.*{remedy}"):
        environment.require_mindspore()


def test_an_untested_version_causes_a_warning(monkeypatch):
    monkeypatch.setattr(environment, "version", lambda package: "2.10.0")
    with pytest.warns(UserWarning, match=r"MindSpore 2\.10\.0 is not tested; expected one of .*mindspore==2\.7\.1"):
        environment.require_mindspore()


@pytest.mark.parametrize("found", [f"{minor}.0" for minor in environment.TESTED])
def test_a_tested_version_causes_no_warning(monkeypatch, found):
    monkeypatch.setattr(environment, "version", lambda package: found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment.require_mindspore()


def test_versions_name_the_packages_that_an_image_depends_on():
    assert {"python", "mindspore", "mindone", "numpy", "transformers"} <= set(environment.versions())


@pytest.mark.parametrize("name", mindone_tcd.__all__)
def test_every_public_name_loads(name):
    assert getattr(getattr(mindone_tcd, name), "__name__", name) == name
    assert name in dir(mindone_tcd)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mindone_tcd.nonsense  # noqa: B018


def test_our_schedulers_are_not_mindones():
    assert mindone_tcd.TCDScheduler.__mro__[0].__module__ != "mindone.diffusers.schedulers.scheduling_tcd"
    assert hasattr(mindone_tcd.TCDScheduler(), "coefficients")


@pytest.mark.parametrize(
    "code",
    [
        "from mindone_tcd import load; load()",
        "from mindone_tcd import LoadedPipeline, TCDScheduler",
        "from mindone_tcd import StableDiffusionXLPipeline",
        "from mindone_tcd.schedulers import affine_step",
        "import mindone_tcd.cpu",
    ],
)
def test_without_mindspore_every_entry_point_says_what_to_install(tmp_path, code):
    done = _without_mindspore(tmp_path, f"import mindone_tcd.random\n{code}")
    assert done.returncode == 1
    assert "mindone_tcd.errors.UsageError: MindSpore is not installed; on a CPU: pip install minds" in done.stderr


def test_without_mindspore_the_command_says_what_to_install(tmp_path):
    code = "from mindone_tcd.cli import main; raise SystemExit(main(['generate', 'a red circle', '--out', 'a.png']))"
    done = _without_mindspore(tmp_path, code)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mindone-tcd: error: MindSpore is not installed; on a CPU: pip install mindspore==2.7.1" in done.stderr


def _without_mindspore(folder: Path, code: str) -> subprocess.CompletedProcess:
    """Run code in a Python that has only NumPy, Pillow and this package."""
    for package in (np, PIL, mindone_tcd):
        source = Path(package.__file__).parent
        for each in (source, *source.parent.glob(f"{source.name}.libs"), *source.parent.glob("[Pp]illow.libs")):
            link = folder / each.name
            if not link.exists():
                link.symlink_to(each)
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
    )
