"""Judge what an image shows, without a neural network.

The judge takes the background color from the image's border and segments the regions that differ from it. It compares
each region with a rendering of each of the nine shapes. The region gets the name of the shape with the best overlap, or
no name if that overlap is below ``MIN_OVERLAP``. A smeared or broken shape therefore gets no name, whereas a classifier
would choose one.

:attr:`Verdict.right` is lenient: a shape with an overlap of 0.8 still looks wrong to a person. :attr:`Verdict.clean`
requires an overlap of 0.9, no ghosts, fills of one color and round circles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .drawing import coverage, distance
from .grammar import COLOURS, POSITIONS, RELATIONS, SHAPES, SIZES, Scene

MIN_OVERLAP = 0.80
"""Minimum intersection over union with a rendered shape at which a region gets the shape's name."""
STRICT_OVERLAP = 0.90
"""Minimum intersection over union at which a shape also looks clean."""
MIN_AREA = 0.004
"""Smaller regions (as a share of the image) do not count as things; see ``MIN_GHOST_AREA``."""
MIN_GHOST_AREA = 0.002
"""A region of at least this size (as a share of the image) that belongs to no thing is a ghost."""
MIN_THING_DISTANCE = 0.18
"""A thing differs from the background by more than this distance in RGB (each channel 0 to 1)."""
MIN_GHOST_DISTANCE = 0.10
"""A ghost differs by more than this. Away from the rims, reconstructions of the shipped VAE stay below 0.09."""
RIM = 3
"""Width in pixels of the rim around a thing in which nothing counts as a ghost."""
MIN_TONE_DISTANCE = 0.15
"""Minimum distance in RGB of the two colors of a two-tone fill; named colors differ by at least 0.36."""
MIN_TONE_SHARE = 0.10
"""Minimum share of a thing's interior that each of the two colors covers."""
MAX_FLAT_STEP = 0.04
"""Maximum distance in RGB between a pixel of a fill and its neighbors; pixels of an edge differ by more."""
MIN_ROUNDNESS = 0.97
"""Minimum roundness of a round circle. An ellipse reaches it up to an aspect ratio of about 1.3."""
STRICT_ROUNDNESS = 0.99
"""Minimum roundness at which a circle also looks round. Reconstructions of the shipped VAE reach 0.998."""
MAX_COLOUR_DISTANCE = 0.30
"""A color farther than this in RGB (each channel 0 to 1) from every named color has no name."""

_PALETTE = np.array(list(COLOURS.values())) / 255


@dataclass(frozen=True)
class Found:
    """One thing in an image. Lengths are in half images, as in :class:`~mindone_tcd.shapes.grammar.Thing`.

    Attributes:
        shape: the shape with the best overlap; None if that overlap is below ``MIN_OVERLAP``.
        colour: the name of the fill's color, or None.
        x, y, radius: position and size of the best-matching rendering.
        overlaps: intersection over union with each of ``SHAPES``, in [0, 1].
        rgb: the fill's median color, in [0, 1].
        two_tone: whether two colors fill it.
        roundness: 4π · area / perimeter² of the outline, relative to a rendered circle of the same radius.
    """

    shape: str | None
    colour: str | None
    x: float
    y: float
    radius: float
    overlaps: tuple[float, ...]
    rgb: tuple[float, float, float]
    two_tone: bool
    roundness: float


@dataclass(frozen=True)
class Reading:
    """What the judge detects in an image.

    Attributes:
        background: the background's color name, or None.
        things: the things, largest first.
        rgb: the background's color, in [0, 1].
        ghosts: the number of regions that differ from the background and belong to no thing.
    """

    background: str | None
    things: tuple[Found, ...]
    rgb: tuple[float, float, float]
    ghosts: int


@dataclass(frozen=True)
class Verdict:
    """Which parts of a caption an image shows, and how cleanly.

    Attributes:
        overlap: the minimum intersection over union of a thing with its expected shape, in [0, 1]; 0 if the number of
            things is wrong or another shape overlaps better.
        colour, background: whether the colors of the things and of the background are as expected.
        size, position, relation: the same, if the caption names them, else None.
        ghosts: the number of unexpected objects: things beyond the caption's number, and fainter or smaller regions.
        two_tone: whether any thing has a fill of two colors.
        roundness: the minimum roundness of the expected circles, where 1 is a rendered circle; 0 if the number of
            things is wrong; None if the caption has no circle.
    """

    overlap: float
    colour: bool
    background: bool
    size: bool | None
    position: bool | None
    relation: bool | None
    ghosts: int
    two_tone: bool
    roundness: float | None

    @property
    def shape(self) -> bool:
        """Whether each thing has the expected shape."""
        return self.overlap >= MIN_OVERLAP

    @property
    def right(self) -> bool:
        """Whether shape, color, background and relation are as expected, with an overlap of ``MIN_OVERLAP``."""
        return self.right_at(MIN_OVERLAP)

    def right_at(self, threshold: float) -> bool:
        """Return the same as :attr:`right` for another minimum overlap.

        Args:
            threshold: the minimum intersection over union, in (0, 1].

        Raises:
            ValueError: if the threshold is not in (0, 1].
        """
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold is {threshold}; expected a minimum overlap above 0 and at most 1")
        return self.overlap >= threshold and self.colour and self.background and self.relation is not False

    @property
    def round(self) -> bool | None:
        """Whether the expected circles are round within 3 %; None if the caption has none."""
        return None if self.roundness is None else self.roundness >= MIN_ROUNDNESS

    @property
    def clean(self) -> bool:
        """Whether the image is right at ``STRICT_OVERLAP``, without ghosts and two-tone fills, with round circles."""
        smooth = self.roundness is None or self.roundness >= STRICT_ROUNDNESS
        return self.right_at(STRICT_OVERLAP) and not self.ghosts and not self.two_tone and smooth


@lru_cache(maxsize=1)
def _proportions() -> dict[str, tuple[float, float, float]]:
    """Return the area and the centroid (area, x, y) of each shape with radius 1."""
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
    size = mask.shape[0]
    # No shape extends beyond 1.2 radii from its center, so the rendering covers only this window.
    first, last = ((np.array([x, y]) + reach * radius + 1) * size / 2 for reach in (-1.2, 1.2))
    (left, top), (right, bottom) = np.clip(np.floor([first, last + 1]), 0, size).astype(int)
    grid = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    drawn = distance(shape, (grid[None, left:right] - x) / radius, (grid[top:bottom, None] - y) / radius) < 0
    common = np.count_nonzero(drawn & mask[top:bottom, left:right])
    return common / max(1, np.count_nonzero(drawn) + np.count_nonzero(mask) - common)


_DIRECTIONS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
"""The steps that a fit tries for x, y and the radius."""


Place = tuple[float, float, float]
"""x, y and the radius of a shape."""


def _moved(place: Place, direction: tuple[int, int, int], step: float) -> Place:
    (x, y, radius), (right, down, wider) = place, direction
    return x + step * right, y + step * down, radius + step * wider


def _fit(mask: np.ndarray, shape: str) -> tuple[float, float, float, float]:
    """Fit a shape to a region; return (overlap, x, y, radius) of the best fit."""
    size = mask.shape[0]
    rows, columns = np.nonzero(mask)
    area, cx, cy = _proportions()[shape]
    radius = float(np.sqrt(len(rows) * (2 / size) ** 2 / area))
    x = (columns.mean() + 0.5) / size * 2 - 1 - cx * radius
    y = (rows.mean() + 0.5) / size * 2 - 1 - cy * radius
    best: tuple[float, float, float, float] = (_overlap(mask, shape, x, y, radius), x, y, radius)
    if best[0] < 0.5:
        return best
    step = 2 / size
    for direction in _DIRECTIONS:
        place = _moved(best[1:], direction, step)
        best = max(best, (_overlap(mask, shape, *place), *place))
    return best


@dataclass(frozen=True)
class CutOut:
    """A segmented thing.

    Attributes:
        region: (H, H) bool, the pixels that differ from the background.
        mask: (H, H) bool, the pixels of the region whose distance to the background exceeds ``level``.
        level: half the median distance of the region's pixels to the background, in RGB.
    """

    region: np.ndarray
    mask: np.ndarray
    level: float


def cut_out(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[CutOut]]:
    """Return the background's color, each pixel's distance to it, and the segmented things, largest first."""
    frame = np.concatenate([image[:2].reshape(-1, 3), image[-2:].reshape(-1, 3)])
    frame = np.concatenate([frame, image[:, :2].reshape(-1, 3), image[:, -2:].reshape(-1, 3)])
    ground = np.median(frame, axis=0)
    away = np.linalg.norm(image - ground, axis=-1)
    labels, areas = _regions(away > MIN_THING_DISTANCE)
    found = []
    for k in np.argsort(areas)[::-1]:
        if areas[k] < MIN_AREA * away.size:
            break
        region = labels == k + 1
        # On the outline, the color is the mean of the fill and the background.
        level = 0.5 * float(np.median(away[region]))
        found.append(CutOut(region, region & (away > level), level))
    return ground, away, found


def _regions(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the connected regions, labeled from 1, and their areas in pixels."""
    labels, count = ndimage.label(mask)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)[1:]


def _ghosts(away: np.ndarray, cut_outs: list[CutOut]) -> int:
    """Count the regions outside the things and their rims that differ from the background."""
    other = away > MIN_GHOST_DISTANCE
    if cut_outs:
        things = np.any([cut.region for cut in cut_outs], axis=0)
        other &= ~ndimage.binary_dilation(things, iterations=RIM)
    return int(np.count_nonzero(_regions(other)[1] >= MIN_GHOST_AREA * away.size))


def _is_two_tone(image: np.ndarray, region: np.ndarray) -> bool:
    """Return whether two colors fill a region. Edge pixels, sharp or blurred, do not count."""
    rows, columns = (slice(where.min(), where.max() + 1) for where in np.nonzero(region))
    image, region = image[rows, columns], region[rows, columns]
    inner = ndimage.binary_erosion(region, iterations=2)
    if not inner.any():
        return False
    steps = [np.linalg.norm(ndimage.correlate1d(image, [-0.5, 0, 0.5], axis=axis), axis=-1) for axis in (0, 1)]
    fill = image[inner & (np.hypot(*steps) < MAX_FLAT_STEP)]
    least = MIN_TONE_SHARE * np.count_nonzero(inner)
    if len(fill) < 2 * least:
        return False
    # 2-means, initialized with the color farthest from the median and the color farthest from that one.
    first = fill[np.linalg.norm(fill - np.median(fill, axis=0), axis=1).argmax()]
    tones = [first, fill[np.linalg.norm(fill - first, axis=1).argmax()]]
    for _ in range(10):
        nearer = np.linalg.norm(fill - tones[0], axis=1) <= np.linalg.norm(fill - tones[1], axis=1)
        if nearer.all() or not nearer.any():
            return False
        tones = [fill[nearer].mean(axis=0), fill[~nearer].mean(axis=0)]
    covered = min(np.count_nonzero(nearer), np.count_nonzero(~nearer))
    return bool(covered > least and np.linalg.norm(tones[0] - tones[1]) > MIN_TONE_DISTANCE)


def _circularity(values: np.ndarray, level: float, x: float, y: float, radius: float) -> float:
    """Return 4π · area / perimeter² of the outline of ``values`` at a level around a point (all in pixels).

    The outline is a polygon. Its vertices are the outermost points on rays from the given point where the values cross
    the level, found by linear interpolation between samples a quarter of a pixel apart. Vertices are about one pixel
    apart.
    """
    angles = np.arange(max(24, round(2 * np.pi * radius))) * (2 * np.pi / max(24, round(2 * np.pi * radius)))
    reach = np.arange(0, 2 * radius + 4, 0.25)
    places = y + np.sin(angles)[:, None] * reach, x + np.cos(angles)[:, None] * reach
    along = ndimage.map_coordinates(values, places, order=1, mode="constant")
    along[:, -1] = 0
    above = along > level
    if not above.any(axis=1).all():
        return 0.0
    last = along.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    rays = np.arange(len(angles))
    inside, outside = along[rays, last], along[rays, last + 1]
    length = reach[last] + 0.25 * (inside - level) / (inside - outside)
    following, turn = np.roll(length, -1), 2 * np.pi / len(angles)
    area = 0.5 * np.sin(turn) * (length * following).sum()
    perimeter = np.sqrt(length**2 + following**2 - 2 * np.cos(turn) * length * following).sum()
    return float(4 * np.pi * area / perimeter**2)


def _roundness(away: np.ndarray, cut: CutOut) -> float:
    rows, columns = np.nonzero(cut.mask)
    radius = float(np.sqrt(len(rows) / np.pi))
    # Exclude other things and the hole of a ring.
    own = np.where(ndimage.binary_dilation(cut.region, iterations=2), away, 0)
    found = _circularity(own, cut.level, columns.mean(), rows.mean(), radius)
    return found / _drawn_circularity(round(radius, 1))


@lru_cache(maxsize=512)
def _drawn_circularity(radius: float) -> float:
    """Return the measured circularity of a rendered circle with a radius in pixels."""
    size = 2 * int(radius) + 8
    # The circle of radius 1 has a radius of 0.95; the center lies between pixels.
    drawn = coverage("circle", 0, 0, radius / 0.95 * 2 / size, size)
    return _circularity(drawn, 0.5, (size - 1) / 2, (size - 1) / 2, radius)


def read(image: np.ndarray) -> Reading:
    """Detect the background and the things in an image.

    Args:
        image: (H, H, 3), floats in [0, 1].

    Raises:
        ValueError: if the image has another shape.
    """
    return _read(_square(image))[0]


def _square(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image, np.float32)
    if image.ndim != 3 or image.shape[2] != 3 or image.shape[0] != image.shape[1]:
        raise ValueError(f"the image has the shape {image.shape}; expected a square RGB image (H, H, 3)")
    return image


def _read(image: np.ndarray) -> tuple[Reading, np.ndarray, list[np.ndarray]]:
    """Return the reading, the background's color, and a mask for each thing."""
    ground, away, cut_outs = cut_out(image)
    things = []
    for cut in cut_outs:
        inner = ndimage.binary_erosion(cut.mask, iterations=2)
        rgb = np.median(image[inner if inner.any() else cut.mask], axis=0)
        fits = [_fit(cut.mask, shape) for shape in SHAPES]
        overlaps = tuple(fit[0] for fit in fits)
        best = int(np.argmax(overlaps))
        _, x, y, radius = fits[best]
        things.append(
            Found(
                SHAPES[best] if overlaps[best] >= MIN_OVERLAP else None,
                _colour_name(rgb),
                float(x),
                float(y),
                float(radius),
                overlaps,
                _rgb(rgb),
                _is_two_tone(image, cut.region),
                _roundness(away, cut),
            )
        )
    reading = Reading(_colour_name(ground), tuple(things), _rgb(ground), _ghosts(away, cut_outs))
    return reading, ground, [cut.mask for cut in cut_outs]


def _rgb(colour: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = map(float, colour)
    return red, green, blue


def _size_name(radius: float) -> str:
    return min(SIZES, key=lambda name: abs(radius - sum(SIZES[name]) / 2))


def _position_name(thing: Found) -> str:
    room = max(0.96 - thing.radius, 0.05) * 0.85
    return min(POSITIONS, key=lambda n: np.hypot(thing.x - POSITIONS[n][0] * room, thing.y - POSITIONS[n][1] * room))


def judge(image: np.ndarray, scene: Scene) -> Verdict:
    """Compare an image with the scene that its caption describes. Positions that the caption does not name are ignored.

    Args:
        image: (H, H, 3), floats in [0, 1].
        scene: the expected scene, for example from :func:`~mindone_tcd.shapes.grammar.parse`.

    Raises:
        ValueError: if the image has another shape.
    """
    return verdict_of(read(image), scene)


def verdict_of(seen: Reading, scene: Scene) -> Verdict:
    """Compare a reading with the expected scene, as :func:`judge` does for an image.

    Args:
        seen: the result of :func:`read`.
        scene: the expected scene.
    """
    things = list(seen.things)
    relation = None
    if len(scene.things) == 2 and len(things) == 2:
        things.sort(key=lambda t: _rank(scene, t.x, t.y))
    counted = len(things) == len(scene.things)
    pairs = list(zip(scene.things, things, strict=False)) if counted else []
    if scene.relation is not None:
        ux, uy = RELATIONS[scene.relation]
        relation = counted and ux * (things[0].x - things[1].x) + uy * (things[0].y - things[1].y) > 0.3
    only = things[0] if counted and len(things) == 1 else None
    rounds = [b.roundness for a, b in pairs if a.shape == "circle"]
    return Verdict(
        overlap=min((_overlap_as(b, a.shape) for a, b in pairs), default=float(counted)),
        colour=counted and all(a.colour == b.colour for a, b in pairs),
        background=seen.background == scene.background,
        size=None if scene.size is None else only is not None and _size_name(only.radius) == scene.size,
        position=None if scene.position is None else only is not None and _position_name(only) == scene.position,
        relation=relation,
        ghosts=seen.ghosts + max(0, len(things) - len(scene.things)),
        two_tone=any(thing.two_tone for thing in things),
        roundness=min(rounds, default=0.0) if any(thing.shape == "circle" for thing in scene.things) else None,
    )


def _rank(scene: Scene, x: float, y: float) -> float:
    """Return the sort key that puts things into the caption's order. Without a relation, it is the same for all."""
    ux, uy = RELATIONS[scene.relation] if scene.relation else (0, 0)
    return -(ux * x + uy * y)


def located(image: np.ndarray, scene: Scene) -> Scene | None:
    """Fit the things of a scene to an image: return the scene with the position and radius of each thing in the image.

    The fit has a resolution of a quarter of a pixel.

    Args:
        image: (H, H, 3), floats in [0, 1].
        scene: the expected scene. Its positions and radii are ignored.

    Returns:
        The fitted scene; None if the image shows another number of things, or if the intersection over union of a thing
        with its expected shape is below 0.5.

    Raises:
        ValueError: if the image has another shape.
    """
    image = _square(image)
    ground, _, cut_outs = cut_out(image)
    if len(cut_outs) != len(scene.things):
        return None
    centers = [[where.mean() for where in np.nonzero(cut.mask)] for cut in cut_outs]
    order = sorted(range(len(cut_outs)), key=lambda k: _rank(scene, centers[k][1], centers[k][0]))
    things = []
    for thing, cut in zip(scene.things, (cut_outs[k] for k in order), strict=True):
        overlap, x, y, radius = _fit(cut.mask, thing.shape)
        if overlap < 0.5:
            return None
        x, y, radius = _refined(image - ground, cut, thing.shape, (x, y, radius))
        things.append(replace(thing, x=x, y=y, radius=radius))
    return replace(scene, things=tuple(things))


def _refined(away: np.ndarray, cut: CutOut, shape: str, place: Place) -> Place:
    """Return the place of the rendered shape that fits the thing's coverage of the pixels by least squares."""
    size = len(away)
    fill = np.median(away[cut.mask], axis=0)
    covered = np.where(ndimage.binary_dilation(cut.region, iterations=2), away @ fill / float(fill @ fill), 0).clip(
        0, 1
    )

    def error(place: Place) -> float:
        return float(np.square(coverage(shape, *place, size) - covered).sum())

    least = error(place)
    for step in (1 / size, 0.5 / size):  # half a pixel, a quarter
        improved = True
        while improved:
            improved = False
            for direction in _DIRECTIONS:
                moved = _moved(place, direction, step)
                found = error(moved)
                if found < least:
                    place, least, improved = moved, found, True
    return place


def _overlap_as(thing: Found, shape: str) -> float:
    best = max(thing.overlaps)
    return best if SHAPES[thing.overlaps.index(best)] == shape else 0.0


def features(image: np.ndarray) -> np.ndarray:
    """Return 23 numbers that describe an image, for :func:`frechet_distance`.

    Colors of the background and of the largest thing (6), its position and radius (3), its overlap with each shape (9),
    the number of things (1), the unevenness of the background and of the thing (2), and the width of the thing's
    rim (2).

    Args:
        image: (H, H, 3), floats in [0, 1].

    Returns:
        float64 of shape (23,). All entries after the background's color are 0 if the image has no things.

    Raises:
        ValueError: if the image has another shape.
    """
    return read_with_features(image)[1]


def read_with_features(image: np.ndarray) -> tuple[Reading, np.ndarray]:
    """Return the results of :func:`read` and :func:`features`, at the cost of one of them."""
    image = _square(image)
    seen, ground, masks = _read(image)
    if not seen.things:
        return seen, np.concatenate([seen.rgb, np.zeros(20)])
    thing, mask = seen.things[0], masks[0]
    inner, outer = ndimage.binary_erosion(mask, iterations=3), ndimage.binary_dilation(mask, iterations=3)
    everything = np.any([ndimage.binary_dilation(m, iterations=3) for m in masks], axis=0)
    unevenness = [float(image[region].std(0).mean()) if region.any() else 0.0 for region in (~everything, inner)]
    rim = outer & ~inner
    axis = np.asarray(thing.rgb) - ground
    alpha = (image[rim] - ground) @ axis / max(float(axis @ axis), 1e-6)
    between = [float(((alpha > lo) & (alpha < 1 - lo)).mean()) for lo in (0.1, 0.3)] if rim.any() else [0.0, 0.0]
    place = [thing.x, thing.y, thing.radius]
    return seen, np.concatenate([seen.rgb, thing.rgb, place, thing.overlaps, [len(masks)], unevenness, between])


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Fréchet distance between two sets of features, each modeled as a Gaussian (Heusel et al. 2017, eq. 6).

    Args:
        a: floats of shape (N, F), the reference. Its standard deviations, at least 0.02, are the units of the features.
        b: floats of shape (M, F).

    Returns:
        the squared Fréchet distance, without a unit.
    """
    unit = np.maximum(a.std(0), 0.02)
    a, b = a / unit, b / unit
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.clip(np.linalg.eigvals(cov_a @ cov_b).real, 0, None)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
