r"""Patterns of module names that a file brings, as PEFT writes them: matched in linear time, and never compiled.

PEFT takes such a pattern for a regular expression, and some take exponential time. What files hold are names, so names
are what is understood here: plain or escaped ones, alternatives of them, and ``.*`` between their parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import UsageError
from .safetensors import shown

_MOST_WILDCARDS = 32
_ANYTHING = "\0"
_TOKEN = re.compile(r"\\([^0-9A-Za-z])|(\.\*)|([^][(){}*+?|^$\\])", re.DOTALL)


class NamePatterns:
    """Values by pattern; a name has the value of the first pattern that it matches.

    As in PEFT, a pattern matches a whole name or the part of it after one of its dots; with ``^`` the whole name alone.

    Args:
        values: by pattern, in their order.
        what: where they come from, for messages.

    Raises:
        UsageError: for a pattern that is no name, alternatives of names, or names with ``.*`` between their parts.
    """

    def __init__(self, values: Mapping[str, float], what: str) -> None:
        self._whole: dict[str, tuple[int, float]] = {}
        self._ends: dict[str, tuple[int, float]] = {}
        self._wild: list[tuple[int, float, bool, list[str]]] = []
        for order, (pattern, value) in enumerate(values.items()):
            for whole, name in _names(pattern, what):
                if _ANYTHING in name:
                    self._wild.append((order, value, whole, name.split(_ANYTHING)))
                else:
                    (self._whole if whole else self._ends).setdefault(name, (order, value))
        if len(self._wild) > _MOST_WILDCARDS:
            raise UsageError(f"{what} has {len(self._wild)} patterns with .*; expected at most {_MOST_WILDCARDS}")

    def value(self, name: str) -> float | None:
        """The value for a module; None if no pattern matches its name."""
        ends = [name, *(name[at + 1 :] for at, letter in enumerate(name) if letter == ".")]
        found = [self._whole[name]] if name in self._whole else []
        found += [self._ends[end] for end in ends if end in self._ends]
        for order, value, whole, parts in self._wild:
            if any(_matches(end, parts) for end in (ends[:1] if whole else ends)):
                found.append((order, value))
        return min(found)[1] if found else None


def _names(pattern: str, what: str) -> Iterator[tuple[bool, str]]:
    """The names that a pattern means, each with whether it is a whole one; `_ANYTHING` is where they have .*"""
    text, whole = pattern, False
    group = re.fullmatch(r"(\^?)\((?:\?:)?([^()]*)\)\$?", text, re.DOTALL)
    if group:
        whole, text = bool(group[1]), group[2]
    for name in _alternatives(text):
        anchored = name.startswith("^")
        name = name[anchored:]
        if name.endswith("$") and not name.endswith("\\$"):
            name = name[:-1]
        tokens, at = [], 0
        while match := _TOKEN.match(name, at):
            tokens.append(_ANYTHING if match[2] else match[1] or match[3])
            at = match.end()
        if at != len(name) or not name or _ANYTHING in name:
            raise UsageError(
                f"{what} has the pattern {shown(pattern)}; expected the names of modules, with .* between their parts "
                "at most: write the names out"
            )
        yield whole or anchored, "".join(tokens)


def _alternatives(text: str) -> list[str]:
    """The parts between the bars that are not escaped."""
    parts, at = [], 0
    for match in re.finditer(r"\\.|\|", text, re.DOTALL):
        if match[0] == "|":
            parts.append(text[at : match.start()])
            at = match.end()
    return [*parts, text[at:]]


def _matches(name: str, parts: list[str]) -> bool:
    """Whether a name is these parts with anything between them."""
    first, *middle, last = parts
    if not name.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.endswith(last) and len(name) - len(last) >= at
