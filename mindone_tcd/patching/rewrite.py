"""Create functions from source text at run time, each in a file.

Graph mode reads a function's source from its file, and writes the file's path into the graphs that it stores. Source
that exists only in memory does not work in graph mode.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..storage.own_files import temporary_folder
from .patch import PatchError

_PACKAGE = Path(__file__).resolve().parents[1]
_numbers = itertools.count()


def rewrite(function: Callable, pattern: str, replacement: str, purpose: str) -> Callable:
    """Return a copy of a function in whose source every match of a regular expression is replaced.

    This suits functions of hundreds of lines in which one expression is wrong. Decorators of the function also apply to
    the copy. In a method, ``super()`` becomes ``super(Class, self)``, because the copy is created outside the class.

    Args:
        function: the function. Its source must be in a file.
        pattern: the regular expression; ``^`` and ``$`` match only the start and the end of the whole source.
        replacement: the replacement, as in `re.sub`.
        purpose: part of the name of the copy's file, which tracebacks show.

    Raises:
        PatchError: if nothing matches, or if ``function`` is a wrapper of this package, for which Python would return
            the source of the wrapped function.
    """
    if Path(function.__code__.co_filename).is_relative_to(_PACKAGE):
        raise PatchError(f"{function.__qualname__} is a wrapper; the row that rewrites it comes first in the table")
    source, changes = re.subn(pattern, replacement, textwrap.dedent(inspect.getsource(function)))
    if not changes:
        raise PatchError(f"{function.__qualname__} has nothing that matches {pattern!r}")
    source = re.sub(r"\bsuper\(\)", f"super({function.__qualname__.rpartition('.')[0]}, self)", source)
    names = inspect.unwrap(function).__globals__
    copy = function_from(source, function.__name__, names, f"{function.__qualname__} {purpose}")
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def function_from(source: str, name: str, names: dict[str, Any], title: str) -> Callable:
    """Return the function that a source text defines.

    Args:
        source: the text of a module.
        name: the function's name.
        names: the globals of the source; they do not change.
        title: the name of the file, which tracebacks show.
    """
    file = _folder() / f"{re.sub(r'[^A-Za-z0-9]+', '_', title)}_{next(_numbers)}.py"
    file.write_text(source, encoding="utf-8")
    made: dict[str, Any] = {}
    exec(compile(source, str(file), "exec"), names, made)
    return made[name]


@functools.cache
def _folder() -> Path:
    return temporary_folder("source")
