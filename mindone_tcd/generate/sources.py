"""The record fields for the origin of a model and its LoRA: a name and a digest of the weights; paths on request.

A path reveals the user's name and machine, so records contain no path unless the user requests it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..files.model_folder import Model
from .recipes import Recipe, lora_of
from .weights import Weights


def model_fields(model: Model, weights: Weights | None, paths: bool) -> dict[str, Any]:
    """Return ``model`` (the name), ``model_from``, ``model_sha256``, and ``model_path`` for a folder.

    Args:
        model: the model.
        weights: its weights, None if unknown.
        paths: whether to include the path of a folder.
    """
    digest = weights and weights.sha256()
    if model.shipped:
        return {"model": model.name, "model_from": "package", "model_sha256": digest}
    if not model.local:
        return {"model": model.name, "model_from": "hub", "model_sha256": digest}
    fields = {"model": _name(model.location), "model_from": "folder", "model_sha256": digest}
    return {**fields, "model_path": _writable(os.path.abspath(model.location))} if paths else fields


def lora_fields(model: Model, recipe: Recipe, weights: Weights | None, paths: bool) -> dict[str, Any]:
    """Return ``lora`` (name, ``shipped``, None), ``lora_from``, ``lora_sha256``; for files and folders ``lora_path``.

    Args:
        model: the LoRA's model.
        recipe: the recipe that names the LoRA.
        weights: its weights, None if unknown.
        paths: whether to include the path of a file or folder.
    """
    if recipe.lora is None:
        return {"lora": None, "lora_from": None, "lora_sha256": None}
    digest = weights and weights.sha256()
    if model.shipped and recipe.lora == lora_of(recipe.method, model):
        return {"lora": "shipped", "lora_from": "package", "lora_sha256": digest}
    if not os.path.isabs(recipe.lora):  # a plan makes paths absolute
        return {"lora": recipe.lora, "lora_from": "hub", "lora_sha256": digest}
    fields = {"lora": _name(recipe.lora), "lora_from": "folder", "lora_sha256": digest}
    return {**fields, "lora_path": _writable(os.path.abspath(recipe.lora))} if paths else fields


def _name(path: str) -> str:
    return _writable(Path(path).name) or "unnamed"


def _writable(path: str) -> str:
    """Return a path as text that can be written to a file, even if its bytes are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
