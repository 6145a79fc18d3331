"""AnimateDiff: several frames at once, which a motion adapter connects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..inputs import Inputs
from ..request import whole_number
from .feature import Feature

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup

FRAMES = 16
MOST_FRAMES = 256
"""A limit against typing errors. The motion adapter has its own maximum, which the pipeline's call checks."""


class Animate(Feature):
    """Takes ``frames``, the number of frames."""

    takes = ("frames",)

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        return Inputs(numbers={"frames": whole_number(given.get("frames", FRAMES), "frames", 1, MOST_FRAMES)})

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        return {"num_frames": int(request.inputs.numbers["frames"])}
