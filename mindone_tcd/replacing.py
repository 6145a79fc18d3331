"""Replacing attributes of modules that may not be imported yet, or how they are run, and putting them back.

Importing mindone takes ten seconds, which nobody should spend only to change it. So what is loaded is changed at once,
and for the rest a hook waits until the module is imported.
"""

from __future__ import annotations

import importlib.abc
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from .patching.rewrite import function_from

Makers = Mapping[str, Callable[[Any], Any]]
"""From "module:attribute" (dots in the attribute lead into classes) to a function that makes the replacement from the
original, which is None where there is none. It returns the original where nothing is to be done.

From "module" alone to a function that makes what runs the module's file from what would; a module that is loaded stays
as it is."""

MISSING = object()


def owner(root: object, path: str) -> tuple[object, str]:
    """The object that holds the last attribute of a dotted path, and that attribute's name."""
    *parents, attribute = path.split(".")
    for parent in parents:
        root = getattr(root, parent)
    return root, attribute


def exchange_copies(new: Mapping[int, object], prefixes: tuple[str, ...] = ("mindone.", "__main__")) -> None:
    """Replace what loaded modules hold under names of their own (`from … import`): id of the old → the new."""
    if not new:
        return
    for name, module in list(sys.modules.items()):
        if not name.startswith(prefixes) or not isinstance(module, ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if id(value) in new:
                setattr(module, key, new[id(value)])


def rewrite(function: Callable, pattern: str, replacement: str, purpose: str) -> Callable:
    """A copy of `function` made from its source, with `replacement` for every match of the regular expression.

    For functions of hundreds of lines in which one expression is wrong; where nothing matches, it is the function
    itself.
    """
    source, changes = re.subn(pattern, replacement, textwrap.dedent(inspect.getsource(function)))
    if not changes:
        return function
    copy = function_from(source, function.__name__, function.__globals__, f"{function.__qualname__} {purpose}")
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


class Replacing(importlib.abc.MetaPathFinder):
    """A set of replacements that can be started and stopped as one.

    Attributes:
        makers: what is replaced, and by what.
        undo: (owner, attribute, original) of what has been replaced so far; more may be noted there by the caller.
    """

    def __init__(self, makers: Makers) -> None:
        self.makers = makers
        self.modules = {name.partition(":")[0] for name in makers}
        self.undo: list[tuple[object, str, object]] = []

    def start(self) -> None:
        """Replace in the modules that are loaded, and from now on in each of the others once it has run."""
        for name in self.modules:
            if name in sys.modules:
                self._replace_in(name)
        sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Put every original back, the last one replaced first."""
        sys.meta_path.remove(self)
        self._exchange((getattr(holder, attribute), original) for holder, attribute, original in self.undo)
        while self.undo:
            holder, attribute, original = self.undo.pop()
            if original is MISSING:
                delattr(holder, attribute)
            else:
                setattr(holder, attribute, original)

    def replace(self, holder: object, attribute: str, replacement: object) -> None:
        """Replace one attribute, noting the original."""
        self.undo.append((holder, attribute, vars(holder).get(attribute, MISSING)))
        setattr(holder, attribute, replacement)

    def _replace_in(self, name: str) -> None:
        module, first = sys.modules[name], len(self.undo)
        for path, make in self.makers.items():
            if path.partition(":")[0] != name or ":" not in path:
                continue
            holder, attribute = owner(module, path.partition(":")[2])
            original = getattr(holder, attribute, None)
            replacement = make(original)
            if replacement is not original:
                self.replace(holder, attribute, replacement)
        self._exchange((old, getattr(holder, attribute)) for holder, attribute, old in self.undo[first:])

    @staticmethod
    def _exchange(pairs: Iterable[tuple[object, object]]) -> None:
        exchange_copies({id(old): new for old, new in pairs if isinstance(old, FunctionType) and new is not MISSING})

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Let the finders that come after this one do their work, and replace once the module has run."""
        if name not in self.modules:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        run = getattr(spec.loader, "exec_module", None)
        if run is not None:
            run = self.makers[name](run) if name in self.makers else run

            def run_and_replace(module: ModuleType) -> None:
                run(module)
                if self in sys.meta_path:
                    self._replace_in(name)

            spec.loader.exec_module = run_and_replace
        return spec
