"""Adapter weights for UNets whose ``layers_per_block`` is a list, one number for each block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import UsageError


def allow_lists(original: Callable) -> Callable:
    """``_maybe_expand_lora_scales`` that adds 1 to ``layers_per_block`` only where it is a number."""

    @functools.wraps(original)
    def _maybe_expand_lora_scales(unet: Any, weight_scales: list, default_scale: float = 1.0) -> list:
        if isinstance(unet.config.layers_per_block, int):
            return original(unet, weight_scales, default_scale=default_scale)
        if any(isinstance(scale, dict) for scale in weight_scales):
            raise UsageError(
                f"this UNet has layers_per_block={list(unet.config.layers_per_block)}, for which weights by block are "
                "not supported; give each adapter one number"
            )
        return list(weight_scales)  # numbers act on the whole UNet and need no layers

    return _maybe_expand_lora_scales


def allow_lists_in_mapping(original: Mapping[str, Callable]) -> dict[str, Callable]:
    """The functions of ``set_adapters`` by the model's class, those of UNets wrapped."""
    return {name: allow_lists(make) if name.startswith("UNet") else make for name, make in original.items()}
