"""The clips of the shapes family: a thing that moves across the image, stays, or grows; how to draw and to judge them.

In "a red circle moving right on a blue background", the circle crosses the image through its center at constant speed.
Without a direction, the thing stays in the center. A zoom enlarges the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .drawing import draw
from .grammar import DIRECTIONS, SIZES, Scene
from .judge import Reading, read

ZOOM = (0.75, 1.6)
"""The scale of the first and of the last frame of a zoom."""

MIN_TRAVEL = 0.3
"""Minimum distance between the first and the last place of a thing that moves, in half images."""
MAX_DRIFT = 0.2
"""Maximum distance for a thing that stays, in half images."""
MAX_JUMP = 3.0
"""Maximum difference between a step and the mean step of a clip, in pixels of an image of 128×128."""
MIN_GROWTH = 1.3
"""Minimum ratio of the last radius to the first for a thing that grows."""

_REACH = 0.85
_MARGIN = 0.96


def radius_of(size: str | None) -> float:
    """Return the radius of a thing of a size in a clip, in half images: the mean of the size's range."""
    return float(np.mean(SIZES[size or "medium"]))


def place(scene: Scene, direction: str | None, when: float, zoom: tuple[float, float] = (1.0, 1.0)) -> Scene:
    """Return the scene of one frame.

    Args:
        scene: a scene with one thing; its position is ignored.
        direction: a key of :data:`~mindone_tcd.shapes.grammar.DIRECTIONS`, or None for a thing that stays.
        when: the time, from 0 at the first frame to 1 at the last.
        zoom: the scale at both ends.
    """
    radius = radius_of(scene.size)
    ux, uy = DIRECTIONS[direction] if direction else (0, 0)
    along = (2 * when - 1) * _REACH * (_MARGIN - radius)
    scale = zoom[0] * (zoom[1] / zoom[0]) ** when
    thing = replace(scene.things[0], x=ux * along * scale, y=uy * along * scale, radius=radius * scale)
    return replace(scene, things=(thing,))


def draw_clip(
    scene: Scene,
    direction: str | None,
    frames: int,
    size: int = 128,
    seed: int | None = None,
    zoom: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Draw a clip.

    Args:
        scene: a scene with one thing; its position is ignored.
        direction: a key of :data:`~mindone_tcd.shapes.grammar.DIRECTIONS`, or None.
        frames: the number of frames.
        size: the width and height in pixels.
        seed: if given, the colors vary, equally in all frames.
        zoom: the scale of the first and of the last frame.

    Returns:
        float32 of shape (frames, size, size, 3), in [0, 1].
    """
    times = np.linspace(0, 1, frames) if frames > 1 else np.array([0.5])
    drawn = []
    for when in times:
        rng = None if seed is None else np.random.default_rng(seed)
        drawn.append(draw(place(scene, direction, float(when), zoom), size, rng))
    return np.stack(drawn)


@dataclass(frozen=True)
class ClipVerdict:
    """What a clip shows.

    Attributes:
        direction: whether the thing moves as asked, or stays if no direction is asked.
        identity: the share of frames with exactly one thing, of the right shape, color and background.
        smooth: whether no step differs from the mean step by more than ``MAX_JUMP``.
        growth: the ratio of the thing's last radius to its first; None if a frame at an end shows no single thing.
    """

    direction: bool
    identity: float
    smooth: bool
    growth: float | None


def judge_clip(frames: Sequence[np.ndarray], scene: Scene, direction: str | None) -> ClipVerdict:
    """Judge a clip.

    Args:
        frames: at least two RGB images (H, H, 3), in [0, 1].
        scene: the scene, with one thing.
        direction: a key of :data:`~mindone_tcd.shapes.grammar.DIRECTIONS`; None for a thing that stays.

    Raises:
        ValueError: if there are fewer than two frames.
    """
    if len(frames) < 2:
        raise ValueError(f"a clip needs at least 2 frames, got {len(frames)}")
    seen = [read(frame) for frame in frames]
    alone = [each.things[0] if len(each.things) == 1 else None for each in seen]
    identity = float(np.mean([_is(each, scene) for each in seen]))
    first, last = alone[0], alone[-1]
    growth = None if first is None or last is None else last.radius / first.radius
    if any(thing is None for thing in alone):
        return ClipVerdict(False, identity, False, growth)
    places = np.array([(thing.x, thing.y) for thing in alone if thing is not None])
    travel = places[-1] - places[0]
    if direction is None:
        moves = bool(np.linalg.norm(travel) <= MAX_DRIFT)
    else:
        along = np.array(DIRECTIONS[direction])
        moves = bool(travel @ along >= MIN_TRAVEL and abs(travel[::-1] @ np.abs(along)) <= MAX_DRIFT)
    steps = np.diff(places, axis=0) * 64
    jumps = np.linalg.norm(steps - steps.mean(0), axis=1)
    return ClipVerdict(moves, identity, bool(jumps.max() <= MAX_JUMP), growth)


def _is(seen: Reading, scene: Scene) -> bool:
    wanted = scene.things[0]
    if len(seen.things) != 1 or seen.background != scene.background:
        return False
    return (seen.things[0].shape, seen.things[0].colour) == (wanted.shape, wanted.colour)
