"""A second style of drawing, for a LoRA: badges, which are round plates before a black or white ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from .drawing import COLOUR_JITTER, coverage, draw
from .grammar import COLOURS, Scene
from .judge import cut_out

GROUNDS = ("black", "white")
"""The colors around a badge, in the order of preference."""
MIN_CONTRAST = 0.6
"""Minimum distance in RGB (each channel 0 to 1) of the ground to the plate."""
MAX_DISTANCE = 0.25
"""Maximum distance in RGB of the ground to the named color."""
MIN_OVERLAP = 0.9
"""Minimum intersection over union of a badge with the disc."""
RADIUS = 0.46
"""The radius of a single thing on a plate, in half images."""
CONTENT = 0.66
"""Half the width of the square inside a plate that the judge reads, in half images."""


def ground_of(background: str) -> str:
    """Return the name of the color around a badge: black, or white around a dark plate."""
    plate = np.asarray(COLOURS[background], float)
    return next(n for n in GROUNDS if np.linalg.norm(plate - COLOURS[n]) / 255 >= MIN_CONTRAST)


def on_a_plate(scene: Scene) -> Scene:
    """Return the scene with its things in the middle of a plate, all of one size."""
    if len(scene.things) == 1:
        return replace(scene, things=(replace(scene.things[0], x=0.0, y=0.0, radius=RADIUS),))
    side = 0.65 * RADIUS
    things = [
        replace(t, x=side * round(t.x / 0.48), y=side * round(t.y / 0.48), radius=0.62 * RADIUS) for t in scene.things
    ]
    return replace(scene, things=tuple(things))


def draw_badge(scene: Scene, size: int = 128, rng: np.random.Generator | None = None) -> np.ndarray:
    """Draw a scene on a badge. Its things are at the places of :func:`on_a_plate`.

    Args:
        scene: the scene; its background is the color of the plate.
        size: the image's width and height in pixels.
        rng: if given, each color varies around its name's value, with the standard deviation ``COLOUR_JITTER``.

    Returns:
        float32 RGB image of shape (size, size, 3), in [0, 1].
    """
    content = draw(on_a_plate(scene), size, rng)
    ground = np.asarray(COLOURS[ground_of(scene.background)], np.float32) / 255
    if rng is not None:
        ground = np.clip(ground + rng.normal(0, COLOUR_JITTER, 3), 0, 1).astype(np.float32)
    return ground + coverage("circle", 0, 0, 1, size)[..., None] * (content - ground)


def on_the_badge(image: np.ndarray) -> np.ndarray | None:
    """Return the content of a badge, which the judge can read.

    Args:
        image: (H, H, 3), floats in [0, 1].

    Returns:
        the square inside the plate, (h, h, 3); None if the image shows no badge: if its border has no color of
        ``GROUNDS``, or if the rest of the image is no disc.
    """
    image = np.asarray(image, np.float32)
    ground, _, cut_outs = cut_out(image)
    if min(np.linalg.norm(ground - np.asarray(COLOURS[name]) / 255) for name in GROUNDS) > MAX_DISTANCE:
        return None
    if not cut_outs:
        return None
    size = image.shape[0]
    plate, disc = ndimage.binary_fill_holes(cut_outs[0].mask), coverage("circle", 0, 0, 1, size) > 0.5
    if np.count_nonzero(plate & disc) < MIN_OVERLAP * np.count_nonzero(plate | disc):
        return None
    first = round((1 - CONTENT) * size / 2)
    return image[first : size - first, first : size - first]
