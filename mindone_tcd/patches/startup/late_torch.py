"""Keep transformers from importing torch until the program uses torch.

If torch is installed, transformers imports it for functions that take torch tensors, and to register its outputs with
torch. With these patches, such a function imports torch when it runs, and the registration happens after torch is
imported. Checks for torch types do not import torch: a value can be a torch type only if torch is already imported.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...patching.rewrite import rewrite
from .late_imports import Run, late, move_imports, parse, run_in, run_tree

_postponed: list[Callable[[], None]] = []
"""Functions to call after torch is imported."""


def is_postponed() -> bool:
    """Return whether torch is installed but not imported yet."""
    return "torch" not in sys.modules and _installed()


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def _if_postponed(make: Callable[[Run], Run]) -> Callable[[Run], Run]:
    """Return a maker that acts only if torch is installed but not imported yet."""

    def choose(run: Run) -> Run:
        later = make(run)
        return lambda module: (later if is_postponed() else run)(module)

    return choose


def _generic(run: Run) -> Run:
    """Wrap the execution of transformers.utils.generic: postpone the part that registers ModelOutput with torch."""

    def run_without_torch(module: ModuleType) -> None:
        tree = parse(module)
        parts = [statement for statement in tree.body if _registers(statement)]
        for part in parts:
            tree.body[tree.body.index(part)] = ast.copy_location(ast.Pass(), part)
        run_tree(module, tree, move_imports(tree, ("torch", "..model_debugging_utils")))
        _postponed.append(lambda: run_in(module, parts))

    return run_without_torch


def _registers(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(part, ast.Import) and part.names[0].name == "torch.utils._pytree" for part in statement.body
    )


def register_later(original: classmethod) -> classmethod:
    """Wrap `ModelOutput.__init_subclass__`, which registers a class with torch: postpone it until torch is imported."""

    def __init_subclass__(cls: type) -> None:
        if is_postponed():
            _postponed.append(lambda: original.__func__(cls))
        else:
            original.__func__(cls)

    return classmethod(__init_subclass__)


def false_without_torch(original: Callable) -> Callable:
    """Wrap a check for torch types: return False if torch is not imported."""

    @functools.wraps(original)
    def is_of_torch(value: Any) -> bool:
        return "torch" in sys.modules and original(value)

    return is_of_torch


def if_imported(original: Callable) -> Callable:
    """Wrap `is_torch_available` for configurations, which then use torch dtypes only if torch is imported."""
    return lambda: "torch" in sys.modules and original()


def by_name(original: Callable) -> Callable:
    """Rewrite the lookup of a component's class so that it compares the names of base classes, not the classes.

    The comparison of classes would import transformers' models and processors, even for a tokenizer.
    """
    named = "any(base.__name__ == {} for base in class_obj.__mro__)"
    return rewrite(
        original,
        r"issubclass\(class_obj, library\.PreTrainedModel\)((?s:.*?) in importable_classes\.keys\(\))\}",
        named.format("'PreTrainedModel'") + r"\1 if " + named.format("c") + "}",
        "by name",
    )


def running_postponed(run: Run) -> Run:
    """Wrap the import of torch: call the postponed functions afterwards."""

    def run_with_postponed(module: ModuleType) -> None:
        run(module)
        while _postponed:
            _postponed.pop(0)()

    return run_with_postponed


generic = _if_postponed(_generic)
late_torch = _if_postponed(late("torch"))
