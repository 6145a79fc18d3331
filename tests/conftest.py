"""What all tests share: no network, no graphs kept on disk, and the live comparisons only where torch is installed."""

import gc
import importlib.util
import os
import shutil
from collections.abc import Iterator

import pytest
from untouched import stop

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


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A tiny random model's folder by name and seed, made when first asked for; to be read only.

    With a method it is named after it, as the LoRAs on the hub are.
    """
    from mindone_tcd.tiny_models import make

    root, made = tmp_path_factory.mktemp("tiny"), {}

    def get(name, seed=0, method=None):
        key = name, seed, method
        if key not in made:
            prefix = f"{method}-" if method else ""
            made[key] = make(name, root / f"{prefix}{name}-{seed}", seed=seed)
        return made[key]

    return get


@pytest.fixture
def shapes(tmp_path):
    """A copy of the shipped model, without its LoRAs, that a test may damage."""
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    made = tmp_path / "model"
    shutil.copytree(SHAPES_FOLDER, made, ignore=shutil.ignore_patterns("*_lora"))
    return made


@pytest.fixture(scope="module")
def pipe():
    """The shipped model's pipeline, without a LoRA."""
    from mindone_tcd import load

    pipe = load(lora="none").pipeline
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def idle(pipe, monkeypatch):
    """The pipeline, stopped where it would start to work."""
    monkeypatch.setattr(pipe, "encode_prompt", stop, raising=True)
    return pipe


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
