"""The methods of a new pipeline's class that patches act on."""

import sys
from types import ModuleType

import pytest

from mindone_tcd import patches
from mindone_tcd.patches import pipeline_classes
from mindone_tcd.patches.table import PATCHES


class DiffusionPipeline:
    def __init__(self, unet=None):
        self.unet = unet

    def to(self):
        pass

    def load_lora_weights(self):
        pass


class Mixin:
    fuse_lora = classmethod(lambda cls: None)

    def set_adapters(self):
        pass

    def __call__(self):
        pass


class Pipeline(DiffusionPipeline, Mixin):
    def __call__(self):
        pass

    def encode_prompt(self):
        pass

    def prepare_latents(self):
        pass


class Derived(Pipeline):
    pass


@pytest.fixture
def extended(monkeypatch):
    """What the engine is asked to act on; DiffusionPipeline is the class of this file."""
    name = "mindone.diffusers.pipelines.pipeline_utils"
    module = ModuleType(name)
    module.DiffusionPipeline = DiffusionPipeline
    for parent in ("mindone", "mindone.diffusers", "mindone.diffusers.pipelines"):
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    monkeypatch.setitem(sys.modules, name, module)
    asked = []
    monkeypatch.setattr(patches.ENGINE, "extend", lambda owner, attribute, row: asked.append((owner, attribute, row)))
    return asked


LOCK = "one thread at a time"


def test_calls_and_computing_methods_of_all_parents(extended):
    pipeline_classes.patch_class(Derived)
    assert set(extended) == {
        (Pipeline, "__call__", "checked calls"),
        (Pipeline, "encode_prompt", LOCK),
        (DiffusionPipeline, "to", LOCK),
        (Mixin, "set_adapters", LOCK),
    }, "not a mixin's call, a classmethod, our own loader, or a method that neither computes nor changes weights"


def test_the_rows_are_in_the_table():
    later = {patch.name for patch in PATCHES if patch.later}
    assert {"checked calls", LOCK} <= later


def test_a_new_pipeline_is_watched_before_it_is_made(monkeypatch):
    events = []
    monkeypatch.setattr(pipeline_classes, "patch_class", lambda cls: events.append(cls))

    def original(self, *args, **kwargs):
        events.append((args, kwargs))

    init = pipeline_classes.patching_classes(original)
    pipe = object.__new__(Derived)
    init(pipe, 1, unet=2)
    assert events == [Derived, ((1,), {"unet": 2})]
    assert init.__wrapped__ is original
