"""ControlNet: follow the edges, depths or normals of an image, at the full resolution of the latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..inputs import Inputs
from .controls import control_maps, read_controls, single_or_list
from .feature import Feature

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup


class ControlNet(Feature):
    """Takes ``control``, an image or one for each ControlNet, and ``control_scale``."""

    takes = ("control", "control_scale")

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        return read_controls(given, setup, "controlnet")

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        # With an image to start from, "image" is that image.
        name = "control_image" if request.inputs.of("image") else "image"
        scales = [source.scale for source in request.inputs.of("control")]
        return {
            name: single_or_list(control_maps(request, setup)),
            "controlnet_conditioning_scale": single_or_list(scales),
        }
