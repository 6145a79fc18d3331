"""LoRA, IP-Adapter, motion adapter: reading every layout of files, strict about what cannot be placed."""

from __future__ import annotations

from .records import LoadedLora, loaded_loras

__all__ = ["LoadedLora", "loaded_loras"]
