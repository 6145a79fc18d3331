"""What the demo serves: a model, the networks beside it, and how many pipelines stay in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..shapes.folder import SHAPES

KEPT = 2
"""The usual number of pipelines in memory: a model and its int8 version."""


@dataclass(frozen=True)
class Options:
    """The arguments of ``mindone-tcd demo`` that choose what is served; as for :func:`mindone_tcd.load`.

    Attributes:
        model: a shipped model, a folder, or a hub id.
        lora: a LoRA instead of the recipe's, or ``none``.
        controlnets: the folders or hub ids of ControlNets, by kind. The shipped models have own ones.
        motion_adapter: the folder or hub id of a motion adapter. The shipped models have an own one.
        dtype: the computation dtype, or None for the usual one.
        kept: the number of pipelines that stay in memory, 1 or more.
    """

    model: str = SHAPES
    lora: str | None = None
    controlnets: Mapping[str, str] = field(default_factory=dict)
    motion_adapter: str | None = None
    dtype: str | None = None
    kept: int = KEPT
