"""One version, where users and tools look for it."""

import re
from pathlib import Path

import mindone_tcd
from mindone_tcd.environment import versions
from mindone_tcd.version import __version__

ROOT = Path(__file__).resolve().parents[1]


def test_it_is_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+|\.dev\d+)?", __version__)


def test_the_package_and_the_records_have_it():
    assert mindone_tcd.__version__ == __version__
    assert versions()["mindone-tcd"] == __version__


def test_it_can_be_read_without_the_package():
    found = {}
    exec((ROOT / "mindone_tcd" / "version.py").read_text(encoding="utf-8"), found)
    assert found["__version__"] == __version__


def test_no_other_file_repeats_it():
    for name in ("setup.py", "pyproject.toml", "mindone_tcd/__init__.py"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(rf"version\s*=\s*[\"']{re.escape(__version__)}", text), f"{name} has a version of its own"
