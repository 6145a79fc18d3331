"""Patch other packages at runtime, in memory, and undo it. The table of patches is in :mod:`mindone_tcd.patches`."""

from .engine import MISSING, Engine
from .patch import Patch, PatchError, PatchWarning, Use

__all__ = ["MISSING", "Engine", "Patch", "PatchError", "PatchWarning", "Use"]
