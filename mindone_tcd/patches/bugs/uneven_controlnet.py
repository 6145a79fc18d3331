"""Support ControlNets whose ``layers_per_block`` is a list with one number for each block, as in UNets."""

from __future__ import annotations

from collections.abc import Callable

from ...patching.rewrite import rewrite


def allow_lists(original: Callable) -> Callable:
    """Rewrite ``ControlNetModel.__init__`` so that block ``i`` gets its own number of layers."""
    return rewrite(
        original,
        r"(num_layers=|range\()layers_per_block\b",
        r"\1(layers_per_block if isinstance(layers_per_block, int) else layers_per_block[i])",
        "with a number of layers for each block",
    )
