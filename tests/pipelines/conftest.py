"""Folders of models, and a pipeline of the shipped one."""

import shutil

import pytest
from untouched import stop


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A stand-in's folder by name and seed, made when first asked for; to be read only.

    With a method it is named after it, as the LoRAs on the hub are.
    """
    from mindone_tcd.standins import make

    root, made = tmp_path_factory.mktemp("standins"), {}

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
    from mindone_tcd.pipelines.recipes import SHAPES_FOLDER

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
