"""Refuse ``save_pretrained`` while a LoRA is loaded: mindone, like diffusers, writes a folder that cannot be loaded.

For the UNet, mindone writes the keys of the wrapped layers. For a text encoder, it writes only the adapter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import UsageError
from ..lora_layers import layers_of


def checked(original: Callable) -> Callable:
    """Wrap ``save_pretrained`` of a pipeline or model so that it calls :func:`check` first."""

    @functools.wraps(original)
    def save_pretrained(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(type(self).__name__, getattr(self, "components", {"": self}).values())
        return original(self, *args, **kwargs)

    return save_pretrained


def check(name: str, parts: Iterable[Any]) -> None:
    """Check that no component has a loaded LoRA, before anything is written.

    Args:
        name: the name of the class that is saved.
        parts: the components of the pipeline. Components that are not models are ignored.

    Raises:
        UsageError: if a LoRA is loaded; the message says how to unload it, and how to keep its effect.
    """
    layers = [layer for part in parts if hasattr(part, "cells_and_names") for layer in layers_of(part)]
    if not layers:
        return
    if any(layer.merged_adapters for layer in layers):
        remedy = "call unload_lora_weights() first, which keeps the fused weights"
    else:
        remedy = "call unload_lora_weights() first, or fuse_lora() and then unload_lora_weights() to keep its effect"
    raise UsageError(f"{name} has LoRA layers, and a folder saved with them cannot be loaded again; {remedy}")
