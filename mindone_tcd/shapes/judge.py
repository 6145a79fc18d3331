"""A judge that looks at a picture and says what is on it, without a neural network.

It takes the background from the picture's frame, cuts out what differs from it, and holds each of the nine shapes
against each cut-out: the name is the shape whose drawing overlaps best, and below ``MIN_OVERLAP`` it has no name.
A smeared or broken shape is no shape then, where a classifier would have to choose one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .drawing import coverage, distance
from .grammar import COLOURS, POSITIONS, RELATIONS, SHAPES, SIZES, Scene

MIN_OVERLAP = 0.80
"""Least intersection over union with a shape's drawing at which a cut-out bears the shape's name."""
MIN_AREA = 0.004
"""Smaller specks (as a share of the picture) are overlooked."""
MAX_COLOUR_DISTANCE = 0.30
"""Beyond this distance in RGB (each channel 0 to 1) from every named colour, a colour has no name."""

_PALETTE = np.array(list(COLOURS.values())) / 255


@dataclass(frozen=True)
class Found:
    """One thing on a picture; lengths in half pictures as in :class:`~mindone_tcd.shapes.grammar.Thing`."""

    shape: str | None
    colour: str | None
    x: float
    y: float
    radius: float
    overlaps: tuple[float, ...]
    rgb: tuple[float, float, float]


@dataclass(frozen=True)
class Reading:
    """What the judge sees: the background's colour name (None: no named colour) and the things, largest first."""

    background: str | None
    things: tuple[Found, ...]
    rgb: tuple[float, float, float]


@dataclass(frozen=True)
class Verdict:
    """Which parts of a caption a picture shows. ``right``: shape, colour and background of everything named."""

    shape: bool
    colour: bool
    background: bool
    size: bool | None
    position: bool | None
    relation: bool | None

    @property
    def right(self) -> bool:
        return self.shape and self.colour and self.background and self.relation is not False


@lru_cache(maxsize=1)
def _proportions() -> dict[str, tuple[float, float, float]]:
    """For each shape of radius 1: its area and the centre of its area."""
    y, x = np.mgrid[-1.2:1.2:401j, -1.2:1.2:401j]
    cell = (2.4 / 400) ** 2
    out = {}
    for shape in SHAPES:
        inside = distance(shape, x, y) < 0
        out[shape] = (inside.sum() * cell, x[inside].mean(), y[inside].mean())
    return out


def _colour_name(rgb: np.ndarray) -> str | None:
    away = np.linalg.norm(_PALETTE - rgb, axis=1)
    return list(COLOURS)[int(away.argmin())] if away.min() <= MAX_COLOUR_DISTANCE else None


def _overlap(mask: np.ndarray, shape: str, x: float, y: float, radius: float) -> float:
    drawn = coverage(shape, x, y, radius, mask.shape[0]) > 0.5
    return float((drawn & mask).sum() / max(1, (drawn | mask).sum()))


def _fit(mask: np.ndarray, shape: str) -> tuple[float, float, float, float]:
    """The best overlap of a shape with a cut-out, and where: (overlap, x, y, radius)."""
    size = mask.shape[0]
    rows, columns = np.nonzero(mask)
    area, cx, cy = _proportions()[shape]
    radius = float(np.sqrt(len(rows) * (2 / size) ** 2 / area))
    x = (columns.mean() + 0.5) / size * 2 - 1 - cx * radius
    y = (rows.mean() + 0.5) / size * 2 - 1 - cy * radius
    best = (_overlap(mask, shape, x, y, radius), x, y, radius)
    if best[0] < 0.5:
        return best
    step = 2 / size
    for move in ((step, 0, 0), (-step, 0, 0), (0, step, 0), (0, -step, 0), (0, 0, step), (0, 0, -step)):
        place = tuple(a + b for a, b in zip(best[1:], move, strict=True))
        best = max(best, (_overlap(mask, shape, *place), *place))
    return best


def _cut_out(picture: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The background's colour, and a mask for each thing in front of it, largest first."""
    frame = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3)])
    frame = np.concatenate([frame, picture[:, :2].reshape(-1, 3), picture[:, -2:].reshape(-1, 3)])
    ground = np.median(frame, axis=0)
    away = np.linalg.norm(picture - ground, axis=-1)
    labels, count = ndimage.label(away > 0.18)
    areas = ndimage.sum_labels(np.ones_like(away), labels, range(1, count + 1))
    masks = []
    for k in np.argsort(areas)[::-1]:
        if areas[k] < MIN_AREA * away.size:
            break
        region = labels == k + 1
        # A thing ends where its colour is half background.
        masks.append(region & (away > 0.5 * np.median(away[region])))
    return ground, masks


def read(picture: np.ndarray) -> Reading:
    """Say what is on a picture.

    Args:
        picture: (H, H, 3), values in [0, 1].
    """
    return _read(_square(picture))[0]


def _square(picture: np.ndarray) -> np.ndarray:
    picture = np.asarray(picture, np.float32)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.shape[0] != picture.shape[1]:
        raise ValueError(f"the judge reads square RGB pictures (H, H, 3), not an array of shape {picture.shape}")
    return picture


def _read(picture: np.ndarray) -> tuple[Reading, np.ndarray, list[np.ndarray]]:
    """The reading, and what it was made from: the background's colour and a mask for each thing."""
    ground, masks = _cut_out(picture)
    things = []
    for mask in masks:
        inner = ndimage.binary_erosion(mask, iterations=2)
        rgb = np.median(picture[inner if inner.any() else mask], axis=0)
        fits = [_fit(mask, shape) for shape in SHAPES]
        overlaps = tuple(fit[0] for fit in fits)
        best = int(np.argmax(overlaps))
        name = SHAPES[best] if overlaps[best] >= MIN_OVERLAP else None
        things.append(Found(name, _colour_name(rgb), *map(float, fits[best][1:]), overlaps, tuple(map(float, rgb))))
    return Reading(_colour_name(ground), tuple(things), tuple(map(float, ground))), ground, masks


def _size_name(radius: float) -> str:
    return min(SIZES, key=lambda name: abs(radius - sum(SIZES[name]) / 2))


def _position_name(thing: Found) -> str:
    room = max(0.96 - thing.radius, 0.05) * 0.85
    return min(POSITIONS, key=lambda n: np.hypot(thing.x - POSITIONS[n][0] * room, thing.y - POSITIONS[n][1] * room))


def judge(picture: np.ndarray, scene: Scene) -> Verdict:
    """Hold a picture against the scene that its caption describes (places beyond the words do not count).

    Args:
        picture: (H, H, 3), values in [0, 1].
        scene: what the caption asks for, e.g. from :func:`~mindone_tcd.shapes.grammar.parse`.
    """
    seen = read(picture)
    things = list(seen.things)
    relation = None
    if len(scene.things) == 2 and len(things) == 2:
        ux, uy = RELATIONS[scene.relation] if scene.relation else (0, 0)
        things.sort(key=lambda t: -(ux * t.x + uy * t.y))
    counted = len(things) == len(scene.things)
    pairs = list(zip(scene.things, things, strict=False)) if counted else []
    if scene.relation is not None:
        ux, uy = RELATIONS[scene.relation]
        relation = counted and ux * (things[0].x - things[1].x) + uy * (things[0].y - things[1].y) > 0.3
    only = things[0] if counted and len(things) == 1 else None
    return Verdict(
        shape=counted and all(a.shape == b.shape for a, b in pairs),
        colour=counted and all(a.colour == b.colour for a, b in pairs),
        background=seen.background == scene.background,
        size=None if scene.size is None else only is not None and _size_name(only.radius) == scene.size,
        position=None if scene.position is None else only is not None and _position_name(only) == scene.position,
        relation=relation,
    )


def features(picture: np.ndarray) -> np.ndarray:
    """23 numbers that describe a picture, for :func:`frechet_distance`.

    Colours of the ground and of the largest thing (6), its place and radius (3), its overlap with each shape (9), how
    many things there are (1), how uneven the ground and the thing are (2), and how wide the thing's rim is (2).
    """
    picture = _square(picture)
    seen, ground, masks = _read(picture)
    if not seen.things:
        return np.concatenate([seen.rgb, np.zeros(20)])
    thing, mask = seen.things[0], masks[0]
    inner, outer = ndimage.binary_erosion(mask, iterations=3), ndimage.binary_dilation(mask, iterations=3)
    everything = np.any([ndimage.binary_dilation(m, iterations=3) for m in masks], axis=0)
    unevenness = [float(picture[region].std(0).mean()) if region.any() else 0.0 for region in (~everything, inner)]
    rim = outer & ~inner
    axis = np.asarray(thing.rgb) - ground
    alpha = (picture[rim] - ground) @ axis / max(float(axis @ axis), 1e-6)
    between = [float(((alpha > lo) & (alpha < 1 - lo)).mean()) for lo in (0.1, 0.3)] if rim.any() else [0.0, 0.0]
    place = [thing.x, thing.y, thing.radius]
    return np.concatenate([seen.rgb, thing.rgb, place, thing.overlaps, [len(masks)], unevenness, between])


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, eq. 6).

    Args:
        a: (N, F), the reference; its deviations set each feature's unit (0.02 at the least).
        b: (M, F).
    """
    unit = np.maximum(a.std(0), 0.02)
    a, b = a / unit, b / unit
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.clip(np.linalg.eigvals(cov_a @ cov_b).real, 0, None)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
