"""The images and numbers of a call besides its prompt, after they are checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..files.download import is_url
from ..files.images import InputImage

SLOTS = ("image", "mask", "control", "reference")
"""The arguments of a call that are images."""

MOST_SCALE = 100.0
"""A limit against typing errors: useful conditioning scales and LoRA weights are at most about 2."""


@dataclass(frozen=True)
class Source:
    """An image that the user passed.

    Attributes:
        slot: the argument: ``image``, ``mask``, ``control`` or ``reference``.
        given: the image.
        kind: for a control: the kind of its map, such as ``canny``.
        is_map: for a control: whether the image is the map itself.
        scale: for a control or reference: its weight.
    """

    slot: str
    given: InputImage
    kind: str = ""
    is_map: bool = False
    scale: float | None = None

    def as_record(self, paths: bool) -> dict[str, Any]:
        """Return the entry of a record.

        Args:
            paths: whether to keep an absolute path, and the query of a URL, which can contain a password.
        """
        name = self.given.name
        if name is not None and not paths:
            name = name.partition("?")[0] if is_url(name) else os.path.basename(name) if os.path.isabs(name) else name
        return {
            "slot": self.slot,
            "kind": f"{self.kind}-map" if self.is_map else self.kind,
            "name": name,
            "sha256": self.given.sha256,
            "scale": self.scale,
        }


@dataclass(frozen=True)
class Inputs:
    """The checked inputs of a call besides the prompt and numbers.

    Attributes:
        sources: the images that the user passed.
        numbers: ``strength`` and ``frames``, where the task has them.
    """

    sources: tuple[Source, ...] = ()
    numbers: Mapping[str, float | int] = field(default_factory=dict)

    def of(self, slot: str) -> list[Source]:
        return [source for source in self.sources if source.slot == slot]

    def one(self, slot: str) -> Source:
        (found,) = self.of(slot)
        return found
