"""Load LoRA, IP-Adapter and motion adapter files of every published layout, with strict checks for unmatched keys."""

from __future__ import annotations

from .records import LoadedLora, loaded_loras

__all__ = ["LoadedLora", "loaded_loras"]
