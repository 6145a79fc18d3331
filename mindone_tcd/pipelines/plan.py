"""Which model and which recipe a call means, found out without loading anything."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from .folder import Model, check_lora, find_model
from .recipes import Recipe, recipe


def plan(model: str | Path, method: str, lora: str | Path | None) -> tuple[Model, Recipe]:
    """Find the model and its recipe without loading anything.

    Args:
        model: ``shapes``, a folder, or a hub id.
        method: ``tcd`` or ``lcm``.
        lora: a folder, a file or a hub id in place of the recipe's; ``none`` for no LoRA.

    Raises:
        UsageError: for whatever cannot work.
    """
    found = find_model(_name(model, "model"))
    # A hub id's class is known only once it is fetched; both families' ids tell it well enough for the LoRA.
    guess = "StableDiffusionXLPipeline" if "xl" in found.location.lower() else "StableDiffusionPipeline"
    chosen = recipe(method, found.pipeline_class or guess, found.shipped)
    if lora is not None:
        lora = _name(lora, "lora")
        there = Path(lora).expanduser()
        chosen = replace(
            chosen, lora=None if lora.lower() == "none" else str(there.resolve()) if there.exists() else lora
        )
    if chosen.lora is not None:
        check_lora(chosen.lora)
    return found, chosen


def _name(value: object, argument: str) -> str:
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{argument} is {value!r}; expected a folder, a name or a hub id, as text or path")
    return os.fspath(value)
