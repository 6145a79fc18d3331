"""The fields of a record: their types and limits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from ..compiled.forms import FORMS
from ..errors import UsageError, shown
from ..quantize.kinds import KINDS
from ..schedulers.methods import METHODS
from .inputs import MOST_SCALE, SLOTS
from .parts import ROLES
from .request import DTYPES, MOST_GUIDANCE, MOST_IMAGES, MOST_PIXELS_A_SIDE, MOST_SEED
from .tasks import TASKS
from .tasks.animate import MOST_FRAMES

_MOST_CHARACTERS = 1 << 20

Check = Callable[[Any, str], Any]


def check_record(record: Any, where: str) -> dict[str, Any]:
    """Check the fields that this version knows, if present. Other fields are ignored.

    Args:
        record: the parsed JSON.
        where: its origin, for error messages: ``the record in a.png``.

    Returns:
        The record.

    Raises:
        UsageError: if the record is not an object, or a field has another type or exceeds its limits.
    """
    if not isinstance(record, dict):
        raise UsageError(f"{where} is {shown(record)}; expected an object: pass a file that mindone-tcd wrote")
    for name, check in {**_FIELDS, "grid": _grid}.items():
        if name in record:
            try:
                check(record[name], name)
            except UsageError as error:
                raise UsageError(f"{where} cannot be used: {error}") from error
    return record


def _refuse(value: Any, name: str, expected: str) -> None:
    raise UsageError(f"{name} is {shown(value)}; expected {expected}")


def _text(value: Any, name: str) -> None:
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        _refuse(value, name, f"a string of at most {_MOST_CHARACTERS} characters")


def _whole(least: int, most: int) -> Check:
    def check(value: Any, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _refuse(value, name, f"an integer from {least} to {most}")

    return check


def _real(most: float) -> Check:
    def check(value: Any, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            _refuse(value, name, f"a number from 0 to {most:g}")

    return check


def _number(most: float) -> Check:
    """Return a check for a number whose absolute value is limited: weights of LoRAs may be negative."""

    def check(value: Any, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            _refuse(value, name, f"a number from {-most:g} to {most:g}")

    return check


def _one_of(names: tuple[str, ...]) -> Check:
    def check(value: Any, name: str) -> None:
        if value not in names:
            _refuse(value, name, f"one of: {', '.join(names)}")

    return check


def _steps(value: Any, name: str) -> None:
    _whole(1, max(method.max_steps for method in METHODS.values()))(value, name)


def _method(value: Any, name: str) -> None:
    _one_of(tuple(METHODS))(value, name)


def _or_none(check: Check) -> Check:
    return lambda value, name: None if value is None else check(value, name)


def _seed(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        _refuse(value, name, "an integer from 0, of at most 100 digits")


def _seeds(value: Any, name: str) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IMAGES:
        _refuse(value, name, f"a list of 1 to {MOST_IMAGES} seeds")
    for seed in value:
        _seed(seed, "a seed")


def _sha256(value: Any, name: str) -> None:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        _refuse(value, name, "64 hexadecimal digits")


def _texts(value: Any, name: str) -> None:
    if not isinstance(value, dict) or len(value) > 100:
        _refuse(value, name, "an object of at most 100 strings")
    for key, text in value.items():
        if not isinstance(text, str) or len(key) + len(text) > 200:
            _refuse(text, f"an entry of {name}", "a string of at most 200 characters")


def _form(value: Any, name: str) -> None:
    if not isinstance(value, bool | None) and value not in FORMS:
        _refuse(value, name, f"True, False or one of: {', '.join(FORMS)}")


def _grid(value: Any, name: str) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IMAGES:
        _refuse(value, name, f"a list of 1 to {MOST_IMAGES} records")
    for k, record in enumerate(value):
        if isinstance(record, dict) and "grid" in record:
            _refuse(record, f"record {k + 1} of the grid", "the record of one image")
        check_record(record, f"record {k + 1} of the grid")


def _objects(fields: dict[str, Check], optional: tuple[str, ...] = ()) -> Check:
    """Return a check for a short list of objects with these fields."""

    def check(value: Any, name: str) -> None:
        if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
            _refuse(value, name, f"a list of at most {_MOST_ENTRIES} objects")
        for entry in value:
            if not isinstance(entry, dict) or not {*fields} - {*optional} <= {*entry} <= {*fields}:
                _refuse(entry, f"an entry of {name}", f"an object with {', '.join(fields)}")
            for key, part in entry.items():
                fields[key](part, f"{key} of an entry of {name}")

    return check


_MOST_ENTRIES = 16
_SIDE = _whole(1, MOST_PIXELS_A_SIDE)
SOURCES = ("package", "folder", "hub")
"""Where a model or LoRA comes from: the package, a folder (or a file) of the user, or a hub."""

_FIELDS: dict[str, Check] = {
    "task": _one_of(tuple(TASKS)),
    "prompt": _text,
    "negative_prompt": _or_none(_text),
    "seed": _seed,
    "batch_seeds": _seeds,
    "steps": _steps,
    "guidance_scale": _real(MOST_GUIDANCE),
    "eta": _or_none(_real(1)),
    "width": _SIDE,
    "height": _SIDE,
    "model": _text,
    "model_from": _one_of(SOURCES),
    "model_sha256": _or_none(_sha256),
    "model_path": _text,
    "method": _method,
    "lora": _or_none(_text),
    "lora_from": _or_none(_one_of(SOURCES)),
    "lora_sha256": _or_none(_sha256),
    "lora_path": _text,
    "parts": _objects(
        {
            "role": _one_of(ROLES),
            "kind": _text,
            "name": _text,
            "from": _one_of(SOURCES),
            "sha256": _or_none(_sha256),
            "weight": _number(MOST_SCALE),
            "path": _text,
        },
        optional=("path",),
    ),
    "inputs": _objects(
        {
            "slot": _one_of(SLOTS),
            "kind": _text,
            "name": _or_none(_text),
            "sha256": _sha256,
            "scale": _or_none(_real(MOST_SCALE)),
        }
    ),
    "strength": _real(1),
    "frames": _whole(1, MOST_FRAMES),
    "dtype": _one_of(DTYPES),
    "quantize": _or_none(_one_of(KINDS)),
    "compile": _form,
    "exported": _sha256,
    "device": _text,
    "kernels": _text,
    "versions": _texts,
}


def visible(text: str, keep: str = "") -> str:
    r"""Return ``text`` with characters that a terminal would hide or interpret written as ``\u001b``.

    These are control characters, escape sequences, direction overrides, lone surrogates and unassigned characters. A
    JSON text stays the same JSON.

    Args:
        text: the text to print.
        keep: control characters to keep.
    """
    return re.sub("[^ -~]", lambda match: match[0] if match[0] in keep else _escaped(match[0]), text)


def _escaped(character: str) -> str:
    # Some scripts and emoji need joiners. Spaces of other widths are harmless.
    if character.isprintable() or character in "\u200c\u200d" or unicodedata.category(character) == "Zs":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[k]:02x}{units[k + 1]:02x}" for k in range(0, len(units), 2))
