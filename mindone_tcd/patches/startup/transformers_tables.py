"""transformers' table of where each of its names is, made once.

transformers reads all of its 1,400 files to make it, twice: the cache over the folders holds 128 of some 400, so that
the second reading finds nothing in it. And it splits each file into lines to find the one that begins with ``__all__``.

Without torch, transformers refuses to import its list of models' names for the examples in docstrings, unless the list
has been imported under its full name, as one of mindone's 330 models always had done.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any


def cached(original: Callable) -> Callable:
    return functools.cache(inspect.unwrap(original))


def from_last_line(original: Callable) -> Callable:
    @functools.wraps(original)
    def fetch__all__(content: str) -> list[str]:
        place = content.rfind("\n__all__")  # the last, as there
        return original(content[place + 1 :] if place >= 0 else content.partition("\n")[0])

    return fetch__all__


def importing_models(original: Callable) -> Callable:
    @functools.wraps(original)
    def example(*args: Any, **kwargs: Any) -> str:
        try:
            return original(*args, **kwargs)
        except ImportError:
            importlib.import_module("transformers.models.auto.modeling_auto")
            return original(*args, **kwargs)

    return example
