"""Checks of numbers that callers pass in. NumPy and MindSpore are not needed here."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TypeGuard


def integer(value: object, name: str, least: int | None = None) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is not an integer, or is below `least`. The message names the argument.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or (least is not None and value < least):
        raise ValueError(f"{name} is {value!r}; expected an integer" + (f" of at least {least}" if least else ""))
    return int(value)


def is_real(value: object) -> TypeGuard[float]:
    """Whether `value` is a real number. True and False do not count as numbers."""
    return isinstance(value, Real) and not isinstance(value, bool)


def fraction(value: object, name: str, zero: bool) -> float:
    """Return `value` as a float.

    Args:
        value: expected within [0, 1].
        name: the argument's name, for the message.
        zero: whether 0 is allowed.

    Raises:
        ValueError: if it is not a number, or is out of range.
    """
    if not is_real(value) or not 0 <= value <= 1 or (value == 0 and not zero):
        raise ValueError(f"{name} is {value!r}; expected a number within {'[' if zero else '('}0, 1]")
    return float(value)


def positive(value: object, name: str) -> float:
    """Return `value` as a float.

    Raises:
        ValueError: if it is not a finite number above 0.
    """
    if not is_real(value) or not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value!r}; expected a number above 0")
    return float(value)
