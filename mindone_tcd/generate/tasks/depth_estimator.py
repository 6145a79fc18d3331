"""Depth and normal maps of photos: a DPT model estimates the depths."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from ...quiet import errors_only
from ...shapes.maps import gray, normals_of
from .feature import resized

DEPTH_MODEL = "Intel/dpt-hybrid-midas"
"""The estimator of the guides."""

RELIEF = 0.25
"""The assumed depth of a scene for its normals, as a share of the image's height."""


def estimated_map(kind: str, image: Image.Image, model: str | Path | None) -> Image.Image:
    """Return the depth map (nearer is brighter) or the normal map of a photo, RGB, in its size.

    Args:
        kind: ``depth`` or ``normal``.
        image: RGB.
        model: the folder or hub id of a DPT model; None for :data:`DEPTH_MODEL`.
    """
    near = estimated_depth(image, model)
    return Image.fromarray(gray(near) if kind == "depth" else normals_of(near * image.height * RELIEF))


def estimated_depth(image: Image.Image, model: str | Path | None) -> np.ndarray:
    """Return the nearness of each pixel, float32 (height, width), from 0 (farthest) to 1 (nearest)."""
    import mindspore as ms

    processor, network = _estimator(str(model or DEPTH_MODEL))
    pixels = processor(images=image, return_tensors="np")["pixel_values"]
    near = network(ms.Tensor(pixels))[0].asnumpy()[0].astype(np.float32)
    near = (near - near.min()) / max(float(np.ptp(near)), 1e-6)
    return np.asarray(resized(Image.fromarray(near), image.size), np.float32).clip(0, 1)


@functools.lru_cache(maxsize=1)
def _estimator(model: str) -> tuple:
    from mindone.transformers import DPTForDepthEstimation, DPTImageProcessor

    with errors_only("mindone"):
        return DPTImageProcessor.from_pretrained(model), DPTForDepthEstimation.from_pretrained(model)
