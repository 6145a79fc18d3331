"""The error and the warning for user input (bad arguments, missing files, wrong versions), and helpers for messages."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any


class UsageError(ValueError):
    """Invalid user input. The message is one line: what was wrong, what was expected, what to do."""


class UsageWarning(UserWarning):
    """User input that works, but probably not as intended."""


_TOO_LONG = 10**100

_NOT_THE_USER = {
    *("mindone_tcd", "mindone", "mindspore", "transformers"),
    *("contextlib", "functools", "importlib", "runpy", "threading"),
}
"""Top-level modules whose frames are not the user's code."""


def warn_user(message: str | Warning, category: type[Warning] = UsageWarning) -> None:
    """Issue a warning that points to the user's line: the innermost frame outside this package and its libraries.

    Args:
        message: the text, or a warning, whose class is the category.
        category: the class of the warning.
    """
    caller = sys._getframe(1)
    frame: FrameType | None = caller
    while frame is not None and _module(frame.f_globals).partition(".")[0] in _NOT_THE_USER:
        caller = frame
        frame = frame.f_back
    found = frame or caller
    warnings.warn_explicit(
        message,
        category,
        found.f_code.co_filename,
        found.f_lineno,
        _module(found.f_globals),
        found.f_globals.setdefault("__warningregistry__", {}),
    )


def _module(names: dict[str, Any]) -> str:
    return names.get("__name__") or "<unknown>"


def shown(value: object, longest: int = 160) -> str:
    """Format a value from a file or a user for a message: quoted, on one line, truncated if it is long.

    Args:
        value: any value. Of a string, only the beginning is formatted.
        longest: the largest number of characters, without quotes and the ellipsis.
    """
    if isinstance(value, int) and abs(value) >= _TOO_LONG:  # Python refuses to format thousands of digits
        return "an integer of more than 100 digits"
    text = repr(f"{value[:longest]}…" if isinstance(value, str) and len(value) > longest else value)
    return text if len(text) <= longest + len("'…'") else f"{text[:longest]}…"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def some(items: Sequence[str], examples: int = 3) -> str:
    """Join the first items of a list, with an ellipsis if there are more."""
    return ", ".join(items[:examples]) + (", …" if len(items) > examples else "")
