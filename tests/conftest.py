"""What all tests share: no network, no graphs kept on disk, and the live comparisons only where torch is installed."""

import gc
import importlib.util
import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MINDONE_TCD_CACHE", "off")

REFERENCE = all(importlib.util.find_spec(name) for name in ("torch", "diffusers", "peft"))


@pytest.fixture
def added_methods() -> Iterator[None]:
    """Removes the methods that a test registers, after the test."""
    from mindone_tcd.schedulers import methods

    before = dict(methods.METHODS)
    yield
    methods._rows.clear()
    methods._rows.update(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if REFERENCE:
        return
    install = 'pip install -c constraints.txt -e ".[parity]"'
    skip = pytest.mark.skip(reason=f"the live comparison needs torch and diffusers: {install}")
    for item in items:
        if "parity" in item.keywords:
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out the objects that the imports made, which live until the end."""
    gc.collect()
    gc.freeze()
