"""Determine the model and the recipe of a call without loading anything."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..files.model_folder import Model, check_lora, find_model, local_path
from .recipes import Recipe, lora_of, recipe


def plan(model: str | Path, method: str, lora: str | Path | None) -> tuple[Model, Recipe]:
    """Find the model and its recipe without loading any weights.

    Args:
        model: ``shapes``, a folder, or a hub id.
        method: the name of a method, such as ``tcd``.
        lora: a folder, a file or a hub id to use instead of the recipe's LoRA; ``none`` for no LoRA.

    Raises:
        UsageError: if an argument is invalid.
    """
    found = find_model(_name(model, "model"))
    chosen = recipe(method, found)
    wanted = lora_of(method, found) if lora is None else _name(lora, "lora")
    if wanted is None or wanted.lower() == "none":
        return found, chosen
    check_lora(wanted)
    there = local_path(wanted)
    return found, replace(chosen, lora=str(there.resolve()) if os.path.exists(there) else wanted)


def _name(value: object, argument: str) -> str:
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{argument} is {value!r}; expected a folder, a name or a hub id, as a string or path")
    return os.fspath(value)
