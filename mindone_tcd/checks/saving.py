"""Refuse ``save_pretrained`` where it would write a folder that cannot be loaded: with LoRAs, and of quantized models.

With a LoRA, mindone, like diffusers, writes for the UNet the keys of the wrapped layers, and for a text encoder only
the adapter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import UsageError
from ..lora_layers import layers_of
from ..quantize.kinds import is_quantized


def checked(original: Callable) -> Callable:
    """Wrap ``save_pretrained`` of a pipeline or model so that it calls :func:`check` first."""

    @functools.wraps(original)
    def save_pretrained(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(type(self).__name__, getattr(self, "components", {"": self}).values())
        return original(self, *args, **kwargs)

    return save_pretrained


def check(name: str, parts: Iterable[Any]) -> None:
    """Check that no component has a loaded LoRA or is quantized, before anything is written.

    Args:
        name: the name of the class that is saved.
        parts: the components of the pipeline. Components that are not models are ignored.

    Raises:
        UsageError: if a LoRA is loaded; the message says how to unload it, and how to keep its effect. Also if a
            network is quantized.
    """
    networks = [part for part in parts if hasattr(part, "cells_and_names")]
    if any(is_quantized(network) for network in networks):
        raise UsageError(
            f"{name} is quantized, and from_pretrained cannot load a folder saved from it; save the weights of each "
            "network with mindone_tcd.quantize.files.save"
        )
    layers = [layer for network in networks for layer in layers_of(network)]
    if not layers:
        return
    if any(layer.merged_adapters for layer in layers):
        remedy = "call unload_lora_weights() first, which keeps the fused weights"
    else:
        remedy = "call unload_lora_weights() first, or fuse_lora() and then unload_lora_weights() to keep its effect"
    raise UsageError(f"{name} has LoRA layers, and a folder saved with them cannot be loaded again; {remedy}")
