"""``save_pretrained`` with a LoRA in place: mindone, as diffusers, would write a folder that does not load again.

The UNet's keys then are those of the wrapped layers, and of a text encoder the adapter alone is written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import UsageError
from ..lora_layers import layers_of


def checked(original: Callable) -> Callable:
    """``save_pretrained`` of a pipeline or model that calls :func:`check` first."""

    @functools.wraps(original)
    def save_pretrained(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(type(self).__name__, getattr(self, "components", {"": self}).values())
        return original(self, *args, **kwargs)

    return save_pretrained


def check(name: str, parts: Iterable[Any]) -> None:
    """Make sure that no part has a LoRA in place, before anything is written.

    Args:
        name: of the class that is saved.
        parts: of the pipeline; what is no model is passed over.

    Raises:
        UsageError: saying how to take the LoRA out, and how to keep what it does.
    """
    layers = [layer for part in parts if hasattr(part, "cells_and_names") for layer in layers_of(part)]
    if not layers:
        return
    if any(layer.merged_adapters for layer in layers):
        remedy = "call unload_lora_weights() first, which leaves what is fused in the weights"
    else:
        remedy = "call unload_lora_weights() first, or fuse_lora() and then unload_lora_weights() to keep its effect"
    raise UsageError(f"{name} has a LoRA in place, and would be saved so that nothing can load it again; {remedy}")
