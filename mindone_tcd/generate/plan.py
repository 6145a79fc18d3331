"""Determine what a pipeline consists of, without loading anything."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..deploy.manifest import is_exported
from ..errors import UsageError, shown
from ..files.hub import HUB_ID
from ..files.model_folder import Model, check_lora, check_weights, find_model, local_path
from ..schedulers.methods import DEFAULT_METHOD
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES as SHIPPED
from ..shapes.models import SD15
from .exported import plan_exported
from .families import family_of, pipeline_class
from .parts import TITLES, Part, find_part, is_shipped, loras_of, maps_of
from .recipes import Recipe, lora_of, recipe
from .setup import Setup
from .tasks import PART_FEATURES, TASKS
from .tasks.controls import ESTIMATED

_SHIPPED_MODELS = {"inpaint": "shapes-inpainting", "animate": SD15}
"""For ``shapes``, the model of the package that was trained for a mode."""


@dataclass(frozen=True)
class Extras:
    """What a user asks for beside the model; every value is as in :func:`mindone_tcd.load`, None for nothing."""

    control: Any = None
    t2i: Any = None
    ip_adapter: Any = None
    style: Any = None
    motion_adapter: Any = None
    motion: Any = None
    depth_model: Any = None


def plan(
    task: str,
    model: str | Path,
    method: str | None = None,
    lora: str | Path | None = None,
    extras: Extras | None = None,
) -> Setup:
    """Find the model, its recipe and the parts beside it, without loading any weights.

    Args:
        task: a name in :data:`~mindone_tcd.generate.tasks.TASKS`.
        model: a shipped model, a folder, an exported folder, or a hub id.
        method: the name of a method, such as ``tcd``; None for the default, or that of an exported folder.
        lora: a folder, a file or a hub id to use instead of the recipe's LoRA; ``none`` for no LoRA.
        extras: the parts beside the model.

    Raises:
        UsageError: if an argument is invalid, or the parts do not combine.
    """
    if not isinstance(task, str) or task not in TASKS:
        raise UsageError(f"unknown task {shown(task)}; choose one of: {', '.join(TASKS)}")
    extras = extras or Extras()
    mode = TASKS[task].mode
    name = _name(model, "model")
    if name not in SHIPPED and is_exported(local_path(name)):
        given = None if lora is None else _name(lora, "lora")
        return plan_exported(task, local_path(name), method, given, extras)
    method = DEFAULT_METHOD if method is None else method
    if name == SHAPES:
        name = _shipped_model(mode, extras)
    found = find_model(name)
    chosen = _with_lora(recipe(method, found), method, found, lora)
    steps = TASKS[task].steps
    if steps is not None:
        chosen = replace(chosen, steps=steps)
    family = family_of(found)
    pipeline_class(family, mode, None)  # an error if no model of the family has this task
    parts, given_maps = _parts(task, found, family, extras)
    roles = {part.role for part in parts}
    network = next((role for role in ("controlnet", "t2i-adapter") if role in roles), None)
    _check_together(roles, mode, family)
    chosen_class = pipeline_class(family, mode, network)
    if found.masked and mode != "inpaint":
        raise UsageError(f"{found.name} is an inpainting model; choose the task inpainting, or another model")
    own = TASKS[task].feature
    features = [*([own] if own else []), *(PART_FEATURES[role] for role in PART_FEATURES if role in roles)]
    return Setup(
        task,
        found,
        chosen,
        chosen_class,
        tuple(features),
        tuple(parts),
        tuple(given_maps),
        None if extras.depth_model is None else _depth_model(extras.depth_model, found, parts, given_maps),
    )


def _shipped_model(mode: str, extras: Extras) -> str:
    """Return the model of the package for ``shapes``: the one with the networks for the mode and the control maps."""
    if mode in _SHIPPED_MODELS or extras.control in (None, False):
        return _SHIPPED_MODELS.get(mode, SHAPES)
    kinds = [kind.removesuffix("-map") for kind, location in maps_of(extras.control, "control") if location is None]
    for name, family in ((SHAPES, "SDXL"), (SD15, "SD")):
        if all(is_shipped(family, "controlnet", kind) for kind in kinds):
            return name
    return SHAPES


def _parts(task: str, model: Model, family: str, extras: Extras) -> tuple[list[Part], list[bool]]:
    """Return the parts, and for each network with a map whether calls pass finished maps."""
    parts: list[Part] = []
    given_maps: list[bool] = []
    needs = TASKS[task].needs
    values = {
        "controlnet": extras.control,
        "t2i-adapter": extras.t2i,
        "ip-adapter": extras.ip_adapter,
        "motion-adapter": extras.motion_adapter,
    }
    if needs and values[needs[0]] is False:
        raise UsageError(
            f"the {TITLES[needs[0]]} is False, but the task {task} needs one; leave it out, or pass a folder"
        )
    if needs and values[needs[0]] is None:
        values[needs[0]] = needs[1] or True
    for role, argument in (("controlnet", "control"), ("t2i-adapter", "t2i")):
        if values[role] is None:
            continue
        for asked, location in maps_of(values[role], argument):
            is_map = asked.endswith("-map")
            kind = asked.removesuffix("-map")
            parts.append(find_part(model, family, role, kind, location))
            given_maps.append(is_map)
    for role in ("ip-adapter", "motion-adapter"):
        if values[role] is not None and values[role] is not False:
            parts.append(find_part(model, family, role, "", None if values[role] is True else values[role]))
    for role, value in (("style", extras.style), ("motion", extras.motion)):
        if value is None:
            continue
        for kind, location, weight in loras_of(value, role):
            parts.append(find_part(model, family, role, kind, location, weight))
    return parts, given_maps


def _depth_model(given: object, model: Model, parts: list[Part], given_maps: list[bool]) -> str:
    """Return the folder or hub id of a depth estimator.

    Raises:
        UsageError: if it does not exist, or nothing needs it.
    """
    name = _name(given, "depth_model")
    networks = [part for part in parts if part.role in ("controlnet", "t2i-adapter")]
    from_photos = [
        part for part, is_map in zip(networks, given_maps, strict=True) if part.kind in ESTIMATED and not is_map
    ]
    if model.shipped or not from_photos:
        what = "the maps of drawings need none" if model.shipped else f"only {' and '.join(ESTIMATED)} maps need one"
        raise UsageError(f"depth_model is {shown(name)}, but {what}; leave it out")
    path = local_path(name)
    if os.path.isdir(path):
        check_weights(path)
        return str(path.resolve())
    if not HUB_ID.fullmatch(name):
        raise UsageError(f"no depth model {shown(name)}: expected an existing folder, or a hub id (owner/name)")
    return name


def _check_together(roles: set[str], mode: str, family: str) -> None:
    """Check the combinations that no pipeline has, with the reason.

    Raises:
        UsageError: if parts do not combine.
    """
    if {"controlnet", "t2i-adapter"} <= roles:
        raise UsageError(
            "a ControlNet and a T2I-Adapter do not combine: no pipeline of mindone has both; choose control or t2i"
        )
    if family == "SD" and {"t2i-adapter", "ip-adapter"} <= roles:
        raise UsageError(
            "a T2I-Adapter and an IP-Adapter do not combine for SD models: mindone's pipeline takes no image prompt; "
            "leave one out, or use a ControlNet"
        )
    if mode != "animate":
        for role in ("motion-adapter", "motion"):
            if role in roles:
                raise UsageError(f"a {TITLES[role]} needs the task animate")


def _with_lora(chosen: Recipe, method: str, model: Model, lora: str | Path | None) -> Recipe:
    wanted = lora_of(method, model) if lora is None else _name(lora, "lora")
    if wanted is None or wanted.lower() == "none":
        return chosen
    check_lora(wanted)
    there = local_path(wanted)
    return replace(chosen, lora=str(there.resolve()) if os.path.exists(there) else wanted)


def _name(value: object, argument: str) -> str:
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{argument} is {shown(value)}; expected a folder, a name or a hub id, as a string or path")
    return os.fspath(value)
