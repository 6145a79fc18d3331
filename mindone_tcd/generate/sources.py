"""The record fields for the origin of a model and its LoRA: a name and a digest of the weights; paths on request.

A path reveals the user's name and machine, so records contain no path unless the user requests it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..files.model_folder import Model
from .recipes import Recipe, lora_of
from .setup import Setup
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


def part_fields(setup: Setup, weights: list[Weights | None], paths: bool) -> dict[str, Any]:
    """Return ``parts``: for each part its role, kind, name, source, digest and weight; nothing without parts.

    Args:
        setup: what is loaded.
        weights: the weights of each part, None if unknown.
        paths: whether to include the paths of folders and files.
    """
    entries = []
    for part, held in zip(setup.parts, weights, strict=True):
        entry = {
            "role": part.role,
            "kind": part.kind,
            "name": part.location if part.source == "hub" else _name(part.location),
            "from": part.source,
            "sha256": held and held.sha256(),
            "weight": part.weight,
        }
        entries.append({**entry, "path": _writable(part.location)} if paths and part.source == "folder" else entry)
    return {"parts": entries} if entries else {}


def exported_fields(setup: Setup) -> dict[str, Any]:
    """Return the same fields for an exported folder: those of its manifest. Parts that are not used are left out."""
    assert setup.exported is not None
    fields = {name: value for name, value in setup.exported.record.items() if name not in ("parts", "quantize")}
    roles = {part.role for part in setup.parts}
    parts = [part for part in setup.exported.record.get("parts", []) if part["role"] in roles]
    return {**fields, "parts": parts} if parts else fields


def _name(path: str) -> str:
    return _writable(Path(path).name) or "unnamed"


def _writable(path: str) -> str:
    """Return a path as text that can be written to a file, even if its bytes are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
