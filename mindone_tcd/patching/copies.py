"""Replace objects that modules imported from patched modules with ``from … import``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType

PREFIXES = ("mindone.", "mindspore.mint", "__main__")
"""Beginnings of the names of the modules to update: the patched packages, and the user's script."""


def exchange_copies(changes: Iterable[tuple[str, object, object]], prefixes: tuple[str, ...] = PREFIXES) -> None:
    """Replace functions and classes in all loaded modules that imported them.

    A class is not replaced in the module that defines it.

    Args:
        changes: triples of the attribute's name, the old and the new object. If one old object has several new objects,
            a module gets the one whose attribute has the same name as in the module, or else the first one.
        prefixes: beginnings of the names of the modules to update.
    """
    found: dict[int, list[tuple[str, object, object]]] = {}
    for change in changes:
        if callable(change[1]):
            found.setdefault(id(change[1]), []).append(change)
    if not found:
        return
    for name, module in list(sys.modules.items()):
        if not name.startswith(prefixes) or not isinstance(module, ModuleType):
            continue
        for key, value in list(vars(module).items()):
            candidates = found.get(id(value))
            if candidates is None or (isinstance(value, type) and value.__module__ == name):
                continue
            setattr(module, key, next((new for attribute, _, new in candidates if attribute == key), candidates[0][2]))
