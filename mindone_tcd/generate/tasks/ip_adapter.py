"""IP-Adapter: an image as a prompt. The UNet attends to tokens of the image beside those of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...files.images import open_image
from ..inputs import Inputs, Source
from .feature import Feature, needed, scale_of

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup

REFERENCE_SCALE = 1.0
"""The default scale for the shipped model; the guides use 0.5 for SDXL."""
PUBLISHED_SCALE = 0.5


class IPAdapter(Feature):
    """Takes ``reference``, an image, and ``reference_scale``, from 0 (ignored) to about 1."""

    takes = ("reference", "reference_scale")

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        image = open_image(needed(given, "reference", setup.task, "the image to resemble"), "reference")
        usual = REFERENCE_SCALE if setup.model.shipped else PUBLISHED_SCALE
        scale = scale_of(given.get("reference_scale", usual), "reference_scale")
        return Inputs((Source("reference", image, scale=scale),))

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        return {"ip_adapter_image": request.inputs.one("reference").given.image}
