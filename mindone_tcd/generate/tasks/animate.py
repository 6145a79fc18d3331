"""AnimateDiff: several frames at once, which a motion adapter connects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...files.json_object import read_json
from ..inputs import Inputs
from ..request import whole_number
from .feature import Feature

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup

FRAMES = 16
MOST_FRAMES = 256
"""A limit against typing errors. The motion adapter has its own maximum."""


class Animate(Feature):
    """Takes ``frames``, the number of frames."""

    takes = ("frames",)

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        frames = whole_number(given.get("frames", FRAMES), "frames", 1, MOST_FRAMES)
        for part in setup.of("motion-adapter"):
            config = Path(part.location) / "config.json"  # the pipeline's call checks the adapter of a hub id
            most = read_json(config).get("motion_max_seq_length") if config.is_file() else None
            if isinstance(most, int) and frames > most:
                raise UsageError(
                    f"frames is {frames}, but the motion adapter supports at most {most}; use fewer frames"
                )
        return Inputs(numbers={"frames": frames})

    def arguments(self, request: Request, setup: Setup, count: int) -> dict[str, Any]:
        return {"num_frames": int(request.inputs.numbers["frames"])}
