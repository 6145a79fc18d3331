"""Draw a scene. Each shape is a signed distance function with an anti-aliased edge one pixel wide."""

from __future__ import annotations

import math

import numpy as np

from .grammar import COLOURS, Scene

COLOUR_JITTER = 0.025
"""Standard deviation of a drawn color around its name's value, on a scale of 0 to 1."""


def distance(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the approximate signed distance to a shape of radius about 1 around the origin, in radii.

    The distance is negative inside the shape.

    Args:
        shape: a name in ``SHAPES``.
        x: horizontal coordinates in radii.
        y: vertical coordinates in radii, downward, broadcast with ``x``.

    Raises:
        ValueError: if the shape is unknown.
    """
    rho = np.sqrt(x * x + y * y)
    if shape == "circle":
        return rho - 0.95
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) - 0.82
    if shape == "diamond":
        return (np.abs(x) / 0.72 + np.abs(y) / 1.05 - 1) * 0.6
    if shape == "ring":
        return np.abs(rho - 0.70) - 0.25
    if shape == "cross":
        a, b = np.abs(x), np.abs(y)
        return np.minimum(np.maximum(a - 0.95, b - 0.3), np.maximum(a - 0.3, b - 0.95))
    if shape == "triangle":
        low = y - 0.2
        return np.maximum(low - 0.55, np.abs(x) * 0.866 - low * 0.5 - 0.55)
    if shape == "star":
        wedge = math.pi / 5
        angle = np.abs(np.mod(np.arctan2(x, -y) + wedge, 2 * wedge) - wedge)
        px, py = rho * np.cos(angle), rho * np.sin(angle)
        inner = (0.45 * math.cos(wedge), 0.45 * math.sin(wedge))
        nx, ny = inner[1], 1.05 - inner[0]
        return ((px - 1.05) * nx + py * ny) / math.hypot(nx, ny)
    if shape == "heart":
        return _heart(np.abs(x) / 1.55, (0.8 - y) / 1.55) * 1.55
    if shape == "moon":
        return np.maximum(rho - 0.95, 0.80 - np.sqrt((x - 0.5) ** 2 + (y + 0.15) ** 2))
    raise ValueError(f"unknown shape {shape!r}")


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Two circles of radius √2/4 around (±1/4, 3/4). Lines at 45 degrees connect them to the tip at the origin.
    lobe = np.sqrt((x - 0.25) ** 2 + (y - 0.75) ** 2) - math.sqrt(2) / 4
    along = np.maximum(x + y, 0) / 2
    edge = np.minimum(x**2 + (y - 1) ** 2, (x - along) ** 2 + (y - along) ** 2)
    wedge = np.sqrt(edge) * np.sign(x - y)
    return np.where(x + y > 1, lobe, wedge)


def coverage(shape: str, x: float, y: float, radius: float, size: int) -> np.ndarray:
    """Return the fraction of each pixel that a shape covers.

    Args:
        shape: a name in ``SHAPES``.
        x: the shape's center to the right of the image's center, in half images.
        y: the shape's center below the image's center, in half images.
        radius: the shape's radius in half images.
        size: the image's width and height in pixels.

    Returns:
        float32 of shape (size, size), in [0, 1].

    Raises:
        ValueError: if the shape is unknown.
    """
    grid = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1).astype(np.float32)
    scaled = distance(shape, (grid[None, :] - x) / radius, (grid[:, None] - y) / radius)
    return np.clip(0.5 - scaled * (radius * size / 2), 0, 1).astype(np.float32)


def draw(scene: Scene, size: int = 128, rng: np.random.Generator | None = None) -> np.ndarray:
    """Draw a scene.

    Args:
        scene: the scene.
        size: the image's width and height in pixels.
        rng: if given, each color varies around its name's value, with the standard deviation ``COLOUR_JITTER``.

    Returns:
        float32 RGB image of shape (size, size, 3), in [0, 1].
    """

    def tint(name: str) -> np.ndarray:
        value = np.asarray(COLOURS[name], np.float32) / 255
        if rng is not None:
            value = value + rng.normal(0, COLOUR_JITTER, 3)
        return np.clip(value, 0, 1).astype(np.float32)

    image = np.broadcast_to(tint(scene.background), (size, size, 3))
    for thing in scene.things:
        alpha = coverage(thing.shape, thing.x, thing.y, thing.radius, size)[..., None]
        image = image + alpha * (tint(thing.colour) - image)
    return np.ascontiguousarray(image)
