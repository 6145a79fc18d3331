r"""Match module names against the name patterns in a LoRA file, as PEFT writes them, in linear time.

PEFT compiles such a pattern as a regular expression, and some regular expressions take exponential time. The patterns
in published files are module names. This module therefore accepts only names: plain or escaped names, alternatives of
names, and ``.*`` between the parts of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import UsageError, shown

_MOST_WILDCARDS = 32
_ANYTHING = "\0"
_TOKEN = re.compile(r"\\([^0-9A-Za-z])|(\.\*)|([^][(){}*+?|^$\\])", re.DOTALL)


class NamePatterns:
    """Values by pattern. The value of a name is that of the first pattern that matches it.

    As in PEFT, a pattern matches a whole name, or the part of the name after one of its dots. A pattern that starts
    with ``^`` matches only the whole name.

    Args:
        values: the values by pattern, in the order in which the patterns are tried.
        what: the source of the patterns, for error messages.

    Raises:
        UsageError: if a pattern is not a name, alternatives of names, or a name with ``.*`` between its parts.
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
        """Return the value for a module name; None if no pattern matches."""
        ends = [name, *(name[at + 1 :] for at, letter in enumerate(name) if letter == ".")]
        found = [self._whole[name]] if name in self._whole else []
        found += [self._ends[end] for end in ends if end in self._ends]
        for order, value, whole, parts in self._wild:
            if any(_matches(end, parts) for end in (ends[:1] if whole else ends)):
                found.append((order, value))
        return min(found)[1] if found else None


def _names(pattern: str, what: str) -> Iterator[tuple[bool, str]]:
    """Yield each name of a pattern, and whether it must match the whole name; `_ANYTHING` replaces ``.*``."""
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
                f"{what} has the pattern {shown(pattern)}; expected module names, optionally with .* between their "
                "parts: list the names in full"
            )
        yield whole or anchored, "".join(tokens)


def _alternatives(text: str) -> list[str]:
    """Split at the bars that are not escaped."""
    parts, at = [], 0
    for match in re.finditer(r"\\.|\|", text, re.DOTALL):
        if match[0] == "|":
            parts.append(text[at : match.start()])
            at = match.end()
    return [*parts, text[at:]]


def _matches(name: str, parts: list[str]) -> bool:
    """Return whether a name consists of these parts, in this order, with any text between them."""
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
