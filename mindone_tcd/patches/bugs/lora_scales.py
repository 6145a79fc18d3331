"""Support adapter weights for UNets whose ``layers_per_block`` is a list with one number for each block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from ...errors import UsageError


class _Even:
    """A view of a UNet in which ``layers_per_block`` is one number."""

    def __init__(self, unet: Any, layers_per_block: int) -> None:
        self._unet = unet
        self.config = SimpleNamespace(layers_per_block=layers_per_block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unet, name)


def allow_lists(original: Callable) -> Callable:
    """Wrap ``_maybe_expand_lora_scales``, which adds 1 to ``layers_per_block``, so that it also supports lists.

    The wrapper raises a UsageError for weights by block if the blocks with attention have different numbers of layers.
    """

    @functools.wraps(original)
    def _maybe_expand_lora_scales(unet: Any, weight_scales: list, default_scale: float = 1.0) -> list:
        if isinstance(unet.config.layers_per_block, int):
            return original(unet, weight_scales, default_scale=default_scale)
        if not any(isinstance(scale, dict) for scale in weight_scales):
            return list(weight_scales)  # a number applies to the whole UNet
        layers = list(unet.config.layers_per_block)
        with_attention = {
            count
            for blocks, counts in ((unet.down_blocks, layers), (unet.up_blocks, layers[::-1]))
            for block, count in zip(blocks, counts, strict=True)
            if hasattr(block, "attentions")
        }
        if len(with_attention) != 1:
            raise UsageError(
                f"this UNet has layers_per_block={layers}, but weights by block need the same number in all blocks "
                "with attention; give each adapter one number"
            )
        return original(_Even(unet, with_attention.pop()), weight_scales, default_scale=default_scale)

    return _maybe_expand_lora_scales


def allow_lists_in_mapping(original: Mapping[str, Callable]) -> dict[str, Callable]:
    """Apply :func:`allow_lists` to the UNets' functions in a mapping from a model's class name to its function."""
    return {name: allow_lists(make) if name.startswith("UNet") else make for name, make in original.items()}
