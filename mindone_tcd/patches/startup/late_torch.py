"""transformers without torch until somebody uses torch.

transformers imports torch where it is installed, for functions that take torch's tensors, and to register its outputs
with torch. Here these functions import it themselves, and the registration waits until torch is there. A value can be
one of torch's only if torch has been imported, so asking for that imports nothing either.
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

_waiting: list[Callable[[], None]] = []
"""What is done when torch has been imported."""


def expected() -> bool:
    """Whether torch is installed and not imported yet."""
    return "torch" not in sys.modules and _installed()


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def _if_expected(make: Callable[[Run], Run]) -> Callable[[Run], Run]:
    def choose(run: Run) -> Run:
        later = make(run)
        return lambda module: (later if expected() else run)(module)

    return choose


def _generic(run: Run) -> Run:
    """transformers.utils.generic, of which a part registers ModelOutput with torch: that part waits."""

    def run_without_torch(module: ModuleType) -> None:
        tree = parse(module)
        parts = [statement for statement in tree.body if _registers(statement)]
        for part in parts:
            tree.body[tree.body.index(part)] = ast.copy_location(ast.Pass(), part)
        run_tree(module, tree, move_imports(tree, ("torch", "..model_debugging_utils")))
        _waiting.append(lambda: run_in(module, parts))

    return run_without_torch


def _registers(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(part, ast.Import) and part.names[0].name == "torch.utils._pytree" for part in statement.body
    )


def register_later(original: classmethod) -> classmethod:
    def __init_subclass__(cls: type) -> None:
        if expected():
            _waiting.append(lambda: original.__func__(cls))
        else:
            original.__func__(cls)

    return classmethod(__init_subclass__)


def false_without_torch(original: Callable) -> Callable:
    @functools.wraps(original)
    def is_of_torch(value: Any) -> bool:
        return "torch" in sys.modules and original(value)

    return is_of_torch


def once_imported(original: Callable) -> Callable:
    """For a configuration: a dtype's name becomes torch's dtype where torch is in use, not where it is installed."""
    return lambda: "torch" in sys.modules and original()


def by_name(original: Callable) -> Callable:
    """For the class of a pipeline's part that transformers has (a tokenizer): its base classes are told by their names,
    so that transformers' models and processors, which it could be of, are left alone."""
    named = "any(base.__name__ == {} for base in class_obj.__mro__)"
    return rewrite(
        original,
        r"issubclass\(class_obj, library\.PreTrainedModel\)((?s:.*?) in importable_classes\.keys\(\))\}",
        named.format("'PreTrainedModel'") + r"\1 if " + named.format("c") + "}",
        "by name",
    )


def then_what_waits(run: Run) -> Run:
    def run_and_catch_up(module: ModuleType) -> None:
        run(module)
        while _waiting:
            _waiting.pop(0)()

    return run_and_catch_up


generic = _if_expected(_generic)
late_torch = _if_expected(late("torch"))
