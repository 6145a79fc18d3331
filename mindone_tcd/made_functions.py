"""Functions made from source text at run time, in files of their own.

Graph mode reads a function's text from its file, and writes the file's path into the graphs that it keeps: text that
lies in memory only is found by the first, and complained of a hundred times by the second.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import temporary

_numbers = itertools.count()


def function_from(source: str, name: str, names: dict[str, Any], title: str) -> Callable:
    """The function ``name`` that ``source`` defines.

    Args:
        source: text of a module.
        name: what it defines.
        names: the globals that it sees; none is added to them.
        title: what the file is called, so that a traceback tells where the function is from.
    """
    file = _folder() / f"{re.sub(r'[^A-Za-z0-9]+', '_', title)}_{next(_numbers)}.py"
    file.write_text(source, encoding="utf-8")
    made: dict[str, Any] = {}
    exec(compile(source, str(file), "exec"), names, made)
    return made[name]


@functools.cache
def _folder() -> Path:
    return temporary.folder("mindone-tcd-source-")
