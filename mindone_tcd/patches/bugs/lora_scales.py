"""Adapter weights for UNets whose ``layers_per_block`` is a list, one number for each block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from ...errors import UsageError


class _Even:
    """A UNet, but for a ``layers_per_block`` that is one number."""

    def __init__(self, unet: Any, layers_per_block: int) -> None:
        self._unet = unet
        self.config = SimpleNamespace(layers_per_block=layers_per_block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unet, name)


def allow_lists(original: Callable) -> Callable:
    """``_maybe_expand_lora_scales`` that adds 1 to ``layers_per_block`` only where it is a number."""

    @functools.wraps(original)
    def _maybe_expand_lora_scales(unet: Any, weight_scales: list, default_scale: float = 1.0) -> list:
        if isinstance(unet.config.layers_per_block, int):
            return original(unet, weight_scales, default_scale=default_scale)
        if not any(isinstance(scale, dict) for scale in weight_scales):
            return list(weight_scales)  # numbers act on the whole UNet and need no layers
        layers = list(unet.config.layers_per_block)
        with_attention = {
            count
            for blocks, counts in ((unet.down_blocks, layers), (unet.up_blocks, layers[::-1]))
            for block, count in zip(blocks, counts, strict=True)
            if hasattr(block, "attentions")
        }
        if len(with_attention) != 1:
            raise UsageError(
                f"this UNet has layers_per_block={layers}, and weights by block need one number in all blocks with "
                "attention; give each adapter one number"
            )
        return original(_Even(unet, with_attention.pop()), weight_scales, default_scale=default_scale)

    return _maybe_expand_lora_scales


def allow_lists_in_mapping(original: Mapping[str, Callable]) -> dict[str, Callable]:
    """The functions of ``set_adapters`` by the model's class, those of UNets wrapped."""
    return {name: allow_lists(make) if name.startswith("UNet") else make for name, make in original.items()}
