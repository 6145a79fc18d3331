"""The prompts of a comparison, and the scenes that the judge expects for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..generate.inputs import Inputs
from ..generate.request import text_for
from ..generate.setup import Setup
from ..shapes.grammar import COLOURS, Scene, Thing, caption, held_out, parse, random_scene
from ..shapes.judge import read

SEED = 31337
"""The seed of the random scenes, the same as in the benchmarks."""

MOST_PROMPTS = 4096

_GENERAL = (
    "a lighthouse on a rocky coast at dusk",
    "a bowl of ripe cherries on a wooden table",
    "a narrow street in an old town after the rain",
    "a gray cat asleep on a stack of books",
    "an astronaut who waters plants, watercolor",
    "a red bicycle in front of a white wall",
    "portrait of an old fisherman, oil painting",
    "a mountain lake in autumn, morning fog",
    "a steam train on a stone bridge",
    "a cup of tea and a letter by a window",
)
"""Prompts for models that are not in the package."""


def prompts_of_file(path: Path) -> list[str]:
    """Read prompts, one on each line. Empty lines are left out.

    Raises:
        UsageError: if the file cannot be read, is not UTF-8, or has no prompt or too many.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read prompts from {path}: {error}; pass a text file in UTF-8") from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not 1 <= len(found) <= MOST_PROMPTS:
        raise UsageError(f"{path} has {len(found)} prompts; expected 1 to {MOST_PROMPTS}, one on each line")
    return found


def general(count: int) -> list[str]:
    """Return prompts for any model. After the last one, they start again."""
    return [_GENERAL[k % len(_GENERAL)] for k in range(count)]


def unseen_scenes(count: int, two: float = 0.2, seed: int = SEED) -> tuple[list[Scene], list[str]]:
    """Return scenes of combinations that training never used, and their captions, which differ from each other.

    Args:
        count: the number of scenes.
        two: the share of scenes with two objects.
        seed: the seed of the scenes.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = random_scene(rng, two, unseen=True)
        say_size, say_position = rng.random(2) < 0.5
        asked = replace(scene, size=scene.size if say_size else None, position=scene.position if say_position else None)
        found.setdefault(caption(asked), asked)
    return list(found.values()), list(found)


def in_other_colors(shape: str, count: int, seed: int = SEED) -> list[str]:
    """Return captions of a shape in other colors, first those that training never used. The last ones may repeat."""
    rng = np.random.default_rng(seed)
    pairs = [(color, ground) for color in COLOURS for ground in COLOURS if color != ground]
    rng.shuffle(pairs)
    pairs.sort(key=lambda pair: not held_out(shape, *pair))
    captions = [caption(Scene(ground, (Thing(shape, color),))) for color, ground in pairs]
    return [captions[k % len(captions)] for k in range(count)]


def shape_of(inputs: Inputs) -> str | None:
    """Return the shape in the control image of a call; None if there is no such image, or not one shape in it."""
    controls = inputs.of("control")
    if len(controls) != 1 or controls[0].is_map:
        return None
    pixels = np.asarray(controls[0].given.image, np.float32) / 255
    if pixels.shape[0] != pixels.shape[1]:
        return None
    things = read(pixels).things
    return things[0].shape if len(things) == 1 else None


def scenes_of(setup: Setup, inputs: Inputs, prompts: list[str]) -> list[Scene] | None:
    """Return what the judge expects for each prompt; None if it cannot judge the images.

    The judge applies to text-to-image and to one control image with the shape of all prompts, for the models of the
    package without a style.

    Args:
        setup: a side of the comparison.
        inputs: the images of its calls.
        prompts: the prompts.
    """
    if not setup.model.shipped or setup.of("style") or setup.task not in ("text-to-image", "controlnet", "t2i-adapter"):
        return None
    found = [parse(text_for(setup.model, prompt)) for prompt in prompts]
    scenes = [scene for scene in found if scene is not None]
    if len(scenes) < len(found):
        return None
    if setup.task == "text-to-image":
        return scenes
    shape = shape_of(inputs)
    return scenes if all([thing.shape for thing in scene.things] == [shape] for scene in scenes) else None
