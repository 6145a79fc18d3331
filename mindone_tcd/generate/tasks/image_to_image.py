"""Image to image: start from an image that is partly noised, instead of from noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...files.images import open_image
from ..inputs import Inputs, Source
from .feature import Feature, needed, resized, scale_of

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup

STRENGTH = 0.6
"""The default share of the noise schedule that is applied. With 4 steps, 2 of them run."""


class ImageToImage(Feature):
    """Takes ``image``, and ``strength`` from 0 (unchanged) to 1 (the image has no effect)."""

    takes = ("image", "strength")

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        image = open_image(needed(given, "image", setup.task, "the image to start from"), "image")
        strength = scale_of(given.get("strength", STRENGTH), "strength", most=1)
        return Inputs((Source("image", image),), {"strength": strength})

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        image = resized(request.inputs.one("image").given.image, (request.width, request.height))
        return {"image": image, "strength": request.inputs.numbers["strength"]}
