"""Samplers for 1 to 8 steps."""

from ..environment import require_mindspore

require_mindspore()

from .affine import affine_step  # noqa: E402
from .lcm import LCMScheduler  # noqa: E402
from .tcd import TCDScheduler  # noqa: E402

__all__ = ["LCMScheduler", "TCDScheduler", "affine_step"]
