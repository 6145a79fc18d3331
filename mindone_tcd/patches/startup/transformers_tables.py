"""Build transformers' table of names and modules once.

To build the table, transformers reads its 1,400 files twice: its cache has 128 entries for about 400 folders, so the
second pass finds none of its folders in the cache. It also splits each file into lines to find the line that begins
with ``__all__``.

For the examples in docstrings, transformers imports its list of model names. Without torch, this import fails unless
the module of the list was imported before. In mindone without patches, one of the 330 models always imports it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any


def cached(original: Callable) -> Callable:
    """Replace a function's bounded cache by an unbounded one."""
    return functools.cache(inspect.unwrap(original))


def from_last_line(original: Callable) -> Callable:
    """Wrap `fetch__all__`: pass only the end of the file, from its last line that begins with ``__all__``."""

    @functools.wraps(original)
    def fetch__all__(content: str) -> list[str]:
        place = content.rfind("\n__all__")  # as in the original, the last one counts
        return original(content[place + 1 :] if place >= 0 else content.partition("\n")[0])

    return fetch__all__


def importing_models(original: Callable) -> Callable:
    """Wrap the function that makes examples: after an ImportError, import the list of models and call it again."""

    @functools.wraps(original)
    def example(*args: Any, **kwargs: Any) -> str:
        try:
            return original(*args, **kwargs)
        except ImportError:
            importlib.import_module("transformers.models.auto.modeling_auto")
            return original(*args, **kwargs)

    return example
