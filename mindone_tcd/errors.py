"""The error class for invalid user input (bad arguments, missing files, wrong versions), and helpers for messages."""

from __future__ import annotations

from collections.abc import Sequence


class UsageError(ValueError):
    """Invalid user input. The message is one line: what was wrong, what was expected, what to do."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def some(items: Sequence[str], examples: int = 3) -> str:
    """Join the first items of a list, with an ellipsis if there are more."""
    return ", ".join(items[:examples]) + (", …" if len(items) > examples else "")
