"""The text of a record, as files store it. Texts of untrusted files are parsed with limits."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..errors import UsageError

KEY = "mindone-tcd"
"""The name under which a file stores its record."""

MOST_TEXT = 16 << 20
"""Maximum bytes of a record: about 10,000 records in a grid."""

_MOST_DEPTH = 8
_MOST_DIGITS = 100


def to_text(record: dict[str, Any], path: Path, ascii_only: bool = False) -> str:
    """Return a record as JSON, which can be encoded in UTF-8.

    Args:
        record: the record.
        path: the file to write, for the message.
        ascii_only: whether other characters are escaped.

    Raises:
        UsageError: if it is too large to be read again.
    """
    text = json.dumps(record, ensure_ascii=ascii_only)
    text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)  # not encodable in UTF-8
    if len(text.encode()) > MOST_TEXT:
        raise UsageError(
            f"cannot write {path}: its record has {len(text.encode())} bytes, but at most {MOST_TEXT} can be read "
            "again; create a grid of fewer images, or shorten the prompts"
        )
    return text


def parse(text: bytes, path: Path, remedy: str) -> Any:
    """Return the value of a record's JSON text.

    Args:
        text: the text, in UTF-8.
        path: its file, for messages.
        remedy: what to do after an error.

    Raises:
        UsageError: if the text is not JSON, or has a duplicate key, a number that is too large or not finite, or too
            many levels.
    """
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant
        )
        if _too_deep(value):
            raise RecursionError
    except RecursionError:
        raise UsageError(f"the record in {path} is nested too deeply; {remedy}") from None
    except ValueError as error:
        raise UsageError(f"the record in {path} cannot be read ({error}); {remedy}") from error
    return value


@contextlib.contextmanager
def opened(path: Path, remedy: str) -> Iterator[BinaryIO]:
    """Yield a stream of a file's bytes.

    Raises:
        UsageError: if there is no such file, or it cannot be read.
    """
    if not os.path.isfile(path):  # returns False, instead of an error, for a name that is too long
        what = f"{path} is a folder" if os.path.isdir(path) else f"no file {path}"
        raise UsageError(f"{what}; {remedy}")
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}); {remedy}") from error


def _pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(items)
    if len(fields) != len(items):
        raise ValueError("it has a duplicate key")
    return fields


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits; at most {_MOST_DIGITS} are possible")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits) if len(digits) <= _MOST_DIGITS else math.inf
    if math.isinf(value):
        raise ValueError("a number is too large or too long")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
