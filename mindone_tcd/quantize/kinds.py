"""The kinds of quantization that `load` and `--quantize` offer, and which networks are quantized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError, shown

if TYPE_CHECKING:
    from mindspore import nn

KINDS = ("int8",)
"""``int8``: 8-bit weights, one scale for each output channel; activations stay floats."""


def kind_of(value: object) -> str | None:
    """Return a kind, or None for no quantization.

    Raises:
        UsageError: if there is no such kind.
    """
    if value is None:
        return None
    if not isinstance(value, str) or value not in KINDS:
        raise UsageError(f"unknown quantize {shown(value)}; choose one of: {', '.join(KINDS)}, or leave it out")
    return value


def is_quantized(network: nn.Cell) -> bool:
    """Return whether a network has quantized layers."""
    from .layers import QuantizedLayer

    return any(isinstance(cell, QuantizedLayer) for _, cell in network.cells_and_names())
