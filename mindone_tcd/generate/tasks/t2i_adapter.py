"""T2I-Adapter: follow a map with a small network that runs once per image, not at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..inputs import Inputs
from .controls import control_maps, read_controls, single_or_list
from .feature import Feature

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup


class T2IAdapter(Feature):
    """Takes ``control``, an image or one for each T2I-Adapter, and ``control_scale``."""

    takes = ("control", "control_scale")
    multiple = 32

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        return read_controls(given, setup, "t2i-adapter")

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        scales = [source.scale for source in request.inputs.of("control")]
        return {
            "image": single_or_list(control_maps(request, setup)),
            "adapter_conditioning_scale": single_or_list(scales),
        }
