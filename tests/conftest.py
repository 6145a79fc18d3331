"""Shared by all tests: no network, no graphs cached on disk, and live comparisons only if torch is installed."""

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
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker for each core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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
    """A function that returns the folder of a tiny random model, by name and seed. Read only.

    With a method, the folder name contains the method, like the names of the LoRAs on the hub.
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
    """A copy of the shipped model, without its LoRAs. A test may damage it."""
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
    """The pipeline, which raises :class:`Untouched` where its work would begin."""
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
    """Exclude the objects of the imports from garbage collection, because they live until the end."""
    gc.collect()
    gc.freeze()
