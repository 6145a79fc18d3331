"""What a pipeline consists of."""

import pytest

from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate.parts import Part
from mindone_tcd.generate.recipes import Recipe
from mindone_tcd.generate.setup import Setup
from mindone_tcd.generate.tasks import PART_FEATURES, TASKS


def setup(features=(), parts=(), vae_scale=8):
    model = Model("a/b", "a/b", False, "StableDiffusionXLPipeline", vae_scale)
    return Setup("text-to-image", model, Recipe("tcd", None), "X", features, parts)


@pytest.mark.parametrize(
    ("roles", "vae_scale", "multiple"),
    [([], 8, 8), ([], 4, 8), ([], 16, 16), (["controlnet"], 8, 8), (["t2i-adapter", "ip-adapter"], 8, 32)],
)
def test_the_divisor_of_sizes(roles, vae_scale, multiple):
    assert setup(tuple(PART_FEATURES[role] for role in roles), vae_scale=vae_scale).multiple == multiple


def test_parts_by_role():
    parts = tuple(Part(role, "", "a/b", "hub") for role in ("style", "controlnet", "style"))
    assert setup(parts=parts).of("style") == [parts[0], parts[2]]
    assert setup(parts=parts).of("motion") == []


def test_only_an_animation_makes_clips():
    animated = [name for name, task in TASKS.items() if setup((task.feature,) if task.feature else ()).animated]
    assert animated == ["animate"]
