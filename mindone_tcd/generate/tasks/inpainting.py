"""Inpainting: generate the part of an image that a mask marks, to match the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...files.images import fit_mask, open_image, open_mask
from ..inputs import Inputs, Source
from .feature import Feature, needed, resized, scale_of

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup


class Inpainting(Feature):
    """Takes ``image``, ``mask`` (white where the image changes), and ``strength`` (default 1)."""

    takes = ("image", "mask", "strength")

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        image = open_image(needed(given, "image", setup.task, "the image to change"), "image")
        mask = open_mask(needed(given, "mask", setup.task, "an image that is white where the image changes"))
        mask = replace(mask, image=fit_mask(mask, image.image.size))
        strength = scale_of(given.get("strength", 1.0), "strength", most=1)
        return Inputs((Source("image", image), Source("mask", mask)), {"strength": strength})

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        size = request.width, request.height
        return {
            "image": resized(request.inputs.one("image").given.image, size),
            "mask_image": resized(request.inputs.one("mask").given.image, size, nearest=True),
            "strength": request.inputs.numbers["strength"],
        }
