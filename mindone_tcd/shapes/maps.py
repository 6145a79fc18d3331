"""Control maps of a drawing: edges, depth and surface normals, for ControlNets and T2I-Adapters.

The functions read a finished image, so they also work on images that the model generated. Edges work on any photo.
Depth and normals assume flat shapes on a plain background, as the shapes model draws them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .judge import cut_out

CANNY_THRESHOLDS = (100, 200)
"""The thresholds of Canny's method on 8-bit values, as in the guides."""

FARTHEST, NEAREST = 0.25, 1.0
"""The depth values of a very small and of a very large shape; the background is 0."""

BEVEL = 6.0
"""The width of the bevel at the border of a shape, in pixels of an image of 128×128."""


def edges(image: np.ndarray) -> np.ndarray:
    """Return the edges of an image by Canny's method.

    Args:
        image: uint8 RGB, (H, W, 3).

    Returns:
        uint8 RGB, (H, W, 3): 255 on edges, else 0.
    """
    import cv2

    return np.repeat(cv2.Canny(image, *CANNY_THRESHOLDS)[..., None], 3, axis=-1)


def depth(image: np.ndarray) -> np.ndarray:
    """Return the depth map of a drawing: a larger shape is nearer, so it is brighter. The background is black.

    Args:
        image: uint8 RGB, (H, H, 3).

    Returns:
        uint8 RGB, (H, H, 3).
    """
    near = np.zeros(image.shape[:2], np.float32)
    for mask in _shapes(image):
        radius = np.sqrt(np.count_nonzero(mask) / np.pi) / (image.shape[0] / 2)
        near[mask] = np.clip(FARTHEST + radius * (NEAREST - FARTHEST), FARTHEST, NEAREST)
    return gray(near)


def gray(near: np.ndarray) -> np.ndarray:
    """Return values (H, W) in [0, 1] as a gray image, uint8 RGB (H, W, 3)."""
    return np.repeat((near * 255).round().astype(np.uint8)[..., None], 3, axis=-1)


def normals(image: np.ndarray) -> np.ndarray:
    """Return the surface normals of a drawing whose shapes are plates with a bevelled border.

    Red points to the left, green up, and blue to the viewer, each from -1 (0) to 1 (255).

    Args:
        image: uint8 RGB, (H, H, 3).

    Returns:
        uint8 RGB, (H, H, 3).
    """
    width = BEVEL * image.shape[0] / 128
    height = np.zeros(image.shape[:2])
    for mask in _shapes(image):
        height += np.minimum(ndimage.distance_transform_edt(mask), width)
    # A slope over two pixels is smoother than the steps of the distances to whole pixels.
    return normals_of(ndimage.gaussian_filter(height, 1.0))


def normals_of(height: np.ndarray) -> np.ndarray:
    """Return the surface normals of a relief, in the colors of :func:`normals`.

    Args:
        height: (H, W) floats, in pixels toward the viewer.

    Returns:
        uint8 RGB, (H, W, 3).
    """
    down, right = np.gradient(height)
    vectors = np.stack([right, down, np.ones_like(down)], axis=-1)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return ((vectors + 1) * 127.5).round().astype(np.uint8)


def _shapes(image: np.ndarray) -> list[np.ndarray]:
    """Return a mask, (H, H) bool, for each thing in a drawing."""
    return [found.mask for found in cut_out(image.astype(np.float32) / 255)[2]]
