"""The networks and LoRAs that are loaded beside a base model: which ones exist, and where they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, shown
from ..files.hub import HUB_ID
from ..files.json_object import read_json
from ..files.model_folder import Model, check_lora, check_weights, local_path
from ..files.model_parts import check_model
from ..schedulers.arguments import is_real
from ..shapes.models import model as shipped_folder
from .inputs import MOST_SCALE

ROLES = ("controlnet", "t2i-adapter", "ip-adapter", "style", "motion-adapter", "motion")
"""What a part does. A pipeline has at most one part of the roles ip-adapter and motion-adapter."""

TITLES = {
    "controlnet": "ControlNet",
    "t2i-adapter": "T2I-Adapter",
    "ip-adapter": "IP-Adapter",
    "style": "style LoRA",
    "motion-adapter": "motion adapter",
    "motion": "motion LoRA",
}

_SHIPPED = {
    ("SDXL", "controlnet", "canny"): "controlnet-canny",
    ("SDXL", "controlnet", "depth"): "controlnet-depth",
    ("SDXL", "t2i-adapter", "canny"): "t2i-canny",
    ("SDXL", "ip-adapter", ""): "ip-adapter",
    ("SDXL", "style", "badge"): "style-badge",
    ("SD", "controlnet", "normal"): "controlnet-normal",
    ("SD", "motion-adapter", ""): "motion-adapter",
    ("SD", "motion", "zoom-in"): "motion-zoom-in",
}
"""The names of the parts for the shipped models, by family, role and kind."""

_PUBLISHED = {
    ("SDXL", "controlnet", "canny"): "diffusers/controlnet-canny-sdxl-1.0",
    ("SDXL", "controlnet", "depth"): "diffusers/controlnet-depth-sdxl-1.0",
    ("SDXL", "t2i-adapter", "canny"): "TencentARC/t2i-adapter-canny-sdxl-1.0",
    ("SDXL", "ip-adapter", ""): "h94/IP-Adapter",
    ("SD", "controlnet", "canny"): "lllyasviel/control_v11p_sd15_canny",
    ("SD", "controlnet", "depth"): "lllyasviel/control_v11f1p_sd15_depth",
    ("SD", "controlnet", "normal"): "lllyasviel/control_v11p_sd15_normalbae",
    ("SD", "ip-adapter", ""): "h94/IP-Adapter",
    ("SD", "motion-adapter", ""): "guoyww/animatediff-motion-adapter-v1-5",
    **{
        ("SD", "motion", kind): f"guoyww/animatediff-motion-lora-{kind}"
        for kind in ("zoom-in", "zoom-out", "pan-left", "pan-right", "tilt-up", "tilt-down")
    },
}
"""The hub ids of published parts for SDXL and SD 1.5, which the guides use."""

_WIDTHS = {"SDXL": 2048, "SD": 768}
"""The cross_attention_dim of the models that the published parts fit: SDXL and SD 1.5."""

_CLASSES = {"controlnet": "ControlNetModel", "t2i-adapter": "T2IAdapter", "motion-adapter": "MotionAdapter"}
"""The class in the configuration of a network."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Part:
    """A network or LoRA beside the base model.

    Attributes:
        role: one of :data:`ROLES`.
        kind: the kind of a map (``canny``), the name of a shipped style or motion; empty if it has none.
        location: an absolute path, or a hub id.
        source: ``package``, ``folder`` or ``hub``.
        weight: the weight of a style or motion LoRA.
    """

    role: str
    kind: str
    location: str
    source: str
    weight: float = 1.0

    @property
    def title(self) -> str:
        return f"{TITLES[self.role]} {self.kind}".rstrip()


def is_shipped(family: str, role: str, kind: str) -> bool:
    """Whether a part for the shipped models of a family is in the package."""
    return (family, role, kind) in _SHIPPED


def shipped_kinds(role: str) -> list[str]:
    """Return the kinds of the shipped parts of a role."""
    return [kind for _, other, kind in _SHIPPED if other == role]


def find_part(model: Model, family: str, role: str, kind: str, location: Any = None, weight: float = 1.0) -> Part:
    """Find a part for a model, without loading it.

    Args:
        model: the base model.
        family: its family, see :mod:`~mindone_tcd.generate.families`.
        role: one of :data:`ROLES`.
        kind: the kind of its maps, or its name.
        location: a folder, a file or a hub id; None for the shipped or published part of that kind, or for a LoRA in a
            folder of that name.
        weight: the weight of a LoRA.

    Raises:
        UsageError: if there is no part of that kind for the model, or its files are missing or damaged.
    """
    if location is not None:
        return _given(model, role, kind, location, weight)
    table = _SHIPPED if model.shipped else _PUBLISHED
    fits = model.shipped or model.cross_attention_dim == _WIDTHS.get(family)
    name = table.get((family, role, kind)) if fits else None
    if name is None and role in ("style", "motion") and os.path.exists(kind):
        return _given(model, role, "", kind, weight)
    if name is None:
        known = [each for other, other_role, each in table if fits and (other, other_role) == (family, role) and each]
        options = f"choose one of: {', '.join(known)}; or pass" if known else "pass"
        what = f"{TITLES[role]} {shown(kind)}" if kind else TITLES[role]
        raise UsageError(f"no {what} is known for {model.name}; {options} a folder, a file or a hub id")
    if model.shipped:
        return Part(role, kind, str(shipped_folder(name)), "package", weight)
    return Part(role, kind, name, "hub", weight)


def _given(model: Model, role: str, kind: str, location: Any, weight: float) -> Part:
    if not isinstance(location, str | os.PathLike):
        raise UsageError(f"the {TITLES[role]} is {shown(location)}; expected a folder, a file or a hub id")
    name = os.fspath(location)
    path = local_path(name)
    if not name or not os.path.exists(path):
        if not HUB_ID.fullmatch(name):
            raise UsageError(f"no {TITLES[role]} {shown(name)}: expected a folder, a file, or a hub id (owner/name)")
        return Part(role, kind, name, "hub", weight)
    if role in ("style", "motion"):
        check_lora(name)
    elif role != "ip-adapter":  # its loader checks its files, in a subfolder
        if not (path / "config.json").is_file():
            raise UsageError(f"{path} has no config.json; expected the folder of a {TITLES[role]}")
        _check_network(model, role, path)
        check_model(path, check_weights(path))
    return Part(role, kind, str(path.resolve()), "folder", weight)


def _check_network(model: Model, role: str, folder: Path) -> None:
    """Check that a network is of the role's class, and reads prompts of the model's width.

    Raises:
        UsageError: if not.
    """
    config = read_json(folder / "config.json")
    found = config.get("_class_name", _CLASSES[role])
    if found != _CLASSES[role]:
        raise UsageError(f"{folder} is a {shown(found)}; expected a {TITLES[role]} ({_CLASSES[role]})")
    width = config.get("cross_attention_dim")
    if role == "controlnet" and None not in (width, model.cross_attention_dim) and width != model.cross_attention_dim:
        raise UsageError(
            f"{folder} is a ControlNet for a cross_attention_dim of {shown(width)}, but {model.name} has "
            f"{model.cross_attention_dim}; pass a ControlNet that was trained for this model"
        )


def maps_of(value: Any, argument: str) -> list[tuple[str, Any]]:
    """Return the kinds of maps and the locations of their networks that a user asked for.

    Args:
        value: a kind such as ``canny``; a list of kinds, or of pairs of a kind and a folder or hub id; or a mapping
            from kinds to folders or hub ids.
        argument: its name, for messages.

    Raises:
        UsageError: if it is something else.
    """
    if isinstance(value, str):
        return [(value, None)]
    if isinstance(value, Mapping) and value:
        pairs = list(value.items())
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        pairs = [item if isinstance(item, tuple) and len(item) == 2 else (item, None) for item in value]
    else:
        pairs = []
    if not pairs or not all(isinstance(kind, str) for kind, _ in pairs):
        raise UsageError(
            f"{argument} is {shown(value)}; expected a kind such as 'canny', a list of kinds, or a mapping from kinds "
            "to folders or hub ids"
        )
    return pairs


def loras_of(value: Any, argument: str) -> list[tuple[str, Any, float]]:
    """Return the names, locations and weights of the LoRAs that a user asked for.

    Args:
        value: a name, folder, file or hub id; a pair of one and a weight; or a list of these.
        argument: its name, for messages.

    Raises:
        UsageError: if it is something else.
    """
    items = value if isinstance(value, list) else [value]
    found = []
    for item in items:
        name, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, 1.0)
        if not isinstance(name, str | os.PathLike) or not is_real(weight):
            raise UsageError(
                f"{argument} is {shown(value)}; expected a name, a file or a hub id, a pair of one and a weight, or a "
                "list of these"
            )
        if not abs(weight) <= MOST_SCALE:
            raise UsageError(
                f"the weight of a LoRA in {argument} is {shown(weight)}; expected a number from {-MOST_SCALE:g} to "
                f"{MOST_SCALE:g}"
            )
        known = isinstance(name, str) and _NAME.fullmatch(name) is not None
        found.append((str(name) if known else "", None if known else name, float(weight)))
    if not found:
        raise UsageError(f"{argument} is empty; name a LoRA, or leave it out")
    return found
