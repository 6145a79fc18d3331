"""Samplers for 1 to 8 steps. Importing them also registers them with mindone, so that saved pipelines load again."""

from .affine import affine_step
from .lcm import LCMScheduler
from .registration import register
from .tcd import TCDScheduler

__all__ = ["LCMScheduler", "TCDScheduler", "affine_step", "register"]

register()
