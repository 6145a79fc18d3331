"""The one error that a user can mend: bad input, a missing file, a wrong version; and what its messages are made of."""

from __future__ import annotations

from collections.abc import Sequence


class UsageError(ValueError):
    """Something that was asked for cannot be done. One line: what was wrong, what was expected, what to do."""


def first_line(error: BaseException) -> str:
    """What an error of somebody else says, in one line; its type if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def some(items: Sequence[str], examples: int = 3) -> str:
    """The first few of a list, with a sign that there are more."""
    return ", ".join(items[:examples]) + (", …" if len(items) > examples else "")
