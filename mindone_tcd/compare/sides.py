"""The sides of a comparison as data: which model, in which number format, in which form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..compiled.forms import FORMS
from ..deploy.manifest import is_exported
from ..errors import UsageError, shown
from ..files.model_folder import local_path
from ..generate.parts import maps_of
from ..generate.plan import Extras
from ..generate.request import DTYPES
from ..quantize.kinds import KINDS

_WORDS: dict[str, tuple[str, Any]] = {
    **{kind: ("quantize", kind) for kind in KINDS},
    **{dtype: ("dtype", dtype) for dtype in DTYPES},
    "eager": ("form", None),
    "compiled": ("form", FORMS[0]),
    "fused": ("fused", True),
    "unfused": ("fused", False),
}
"""For each word that a side can have: the field of :class:`Side`, and its value."""

_NAMED = ("model", "method", "lora")


@dataclass(frozen=True)
class Side:
    """One way to run a model. The fields are arguments of :func:`mindone_tcd.load`.

    Attributes:
        task: the task.
        model: a shipped model, the folder of a model or of an exported pipeline, or a hub id.
        method: the name of a method; None for the usual one, or that of an exported pipeline.
        lora: the LoRA instead of the recipe's, or ``none``; None for the recipe's.
        dtype: None for that of the device.
        quantize: ``int8``, or None.
        form: the form of compiled graphs, None for eager. Exported pipelines have their own graphs.
        fused: whether the LoRAs become part of the weights. Quantization and export always do this.
        extras: what is loaded beside the model.
    """

    task: str
    model: str
    method: str | None = None
    lora: str | None = None
    dtype: str | None = None
    quantize: str | None = None
    form: str | None = None
    fused: bool = False
    extras: Extras = field(default_factory=Extras)

    @property
    def exported(self) -> bool:
        """Whether the model is the folder of an exported pipeline."""
        return is_exported(local_path(self.model))

    def load_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of ``load`` besides the task and the model; only those that are set."""
        given = {
            "method": self.method,
            "lora": self.lora,
            "dtype": self.dtype,
            "quantize": self.quantize,
            "compile": None if self.exported else self.form,
            **vars(self.extras),
        }
        return {name: value for name, value in given.items() if value is not None}


def sides_of(base: Side, against: Sequence[str]) -> list[Side]:
    """Return the sides of a comparison, the base first.

    Args:
        base: the first side.
        against: for each further side, what changes; see :func:`changed`.

    Raises:
        UsageError: if a text means nothing, or two sides are the same.
    """
    sides = [base]
    for text in against:
        side = changed(base, text)
        if side in sides:
            raise UsageError(f"--against {shown(text)} is the same as another side; name something that differs")
        sides.append(side)
    return sides


def changed(base: Side, text: str) -> Side:
    """Return the side that a value of ``--against`` describes.

    Args:
        base: the first side.
        text: a number format (``int8``, ``float16``), ``eager`` or ``compiled``, ``fused`` or ``unfused``,
            ``lora=LORA``, ``method=METHOD``, ``model=MODEL``, several of these joined by commas, or only the name or
            folder of a model.

    Raises:
        UsageError: if it is empty, or contradicts itself.
    """
    parts = text.split(",")
    if not all(map(_is_change, parts)):
        parts = [f"model={text}"]
    changes: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and not value:
            raise UsageError(f"--against is {shown(text)}, but {name} has no value; expected {name}=VALUE")
        if not equals:
            name, value = _WORDS[part]
        if name in changes:
            raise UsageError(f"--against is {shown(text)}, which names two values for one thing; leave one out")
        changes[name] = value
    side = replace(base, **changes)
    if "dtype" in changes and "quantize" not in changes:
        side = replace(side, quantize=None)
    if side.quantize is not None:
        if "fused" in changes:
            raise UsageError(f"--against is {shown(text)}, but int8 always fuses the LoRAs; leave that word out")
        side = replace(side, fused=False)
    if side.exported:
        fixed = sorted(set(changes) - {"model"})
        if fixed:
            raise UsageError(f"--against is {shown(text)}: the export determines everything; leave {fixed[0]} out")
        control = base.extras.control
        kinds = None if control is None else [kind for kind, _ in maps_of(control, "control")]
        return Side(side.task, side.model, extras=Extras(control=kinds))
    return side


def _is_change(part: str) -> bool:
    name, equals, _ = part.partition("=")
    return name in _NAMED if equals else part in _WORDS


def labels(sides: Sequence[Side], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a short name for each side: only what differs between them.

    Args:
        sides: the sides.
        records: the record of an image of each side.
    """
    names = [_model_name(side) for side in sides]
    if len(set(names)) < len({side.model for side in sides}):
        names = [side.model for side in sides]
    columns = [
        names,
        [record["method"] for record in records],
        [_lora_name(side) for side in sides],
        ["fused" if side.fused or side.quantize or side.exported else "unfused" for side in sides],
        [record.get("quantize") or record["dtype"] for record in records],
        ["exported" if side.exported else "compiled" if side.form else "eager" for side in sides],
    ]
    differing = [column for column in columns if len(set(column)) > 1]
    return [", ".join(values) for values in zip(*(differing or columns[:1]), strict=True)]


def _model_name(side: Side) -> str:
    return Path(side.model).name or side.model


def _lora_name(side: Side) -> str:
    if side.exported or side.lora is None:
        return "usual LoRA"
    return "no LoRA" if side.lora.lower() == "none" else Path(side.lora).name
