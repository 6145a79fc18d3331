"""A patch as data: what it changes, which function makes the replacement, and the versions that it is for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageWarning

_PACKAGE = __package__.partition(".")[0]


class PatchError(RuntimeError):
    """A patch does not fit the installed code: a name is gone, or a source rewrite matches nothing."""


class PatchWarning(UsageWarning):
    """A patch that does not fit the installed code was left out."""


@dataclass(frozen=True)
class Use:
    """A replacement that does not depend on the original, which need not exist.

    Attributes:
        path: ``"module:name"`` of the replacement, below this package.
    """

    path: str


Spec = str | Use | Callable[[Any], Any]
"""How a row names what makes a replacement: ``"module:function"`` below this package, which is imported when the patch
is applied; :class:`Use`; or the function itself."""


@dataclass(frozen=True)
class Patch:
    """One row of the table of patches.

    Attributes:
        name: unique in the table.
        group: what it is switched on and off with.
        purpose: what it is for, in a few words.
        targets: what is replaced, and what makes the replacement. A key is ``"module:attribute"``, where dots in the
            attribute lead into classes and modules: the maker takes the original and returns the replacement. Or it is
            ``"module"``: the maker takes the function that runs the module's file and returns another one, and a module
            that is loaded stays as it is. The original is the raw entry, such as a classmethod object; where a class
            inherits the attribute, it is a function or classmethod that calls the parent's.
        later: what makes the replacement for targets that are found while the program runs (:meth:`Engine.extend`).
        versions: of each package for which the patch is meant; a package that is not listed may have any version.
        condition: the name of a condition that has to hold (:meth:`Engine.hold`); none by default.
        where: of a defect of mindone, the file and function.
        defect: what is broken there.
        met: how a user meets it.
    """

    name: str
    group: str
    purpose: str
    targets: Mapping[str, Spec] = field(default_factory=dict)
    later: Spec | None = None
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    condition: str = ""
    where: str = ""
    defect: str = ""
    met: str = ""

    def fits(self, version: Callable[[str], str | None]) -> bool:
        """Whether it is meant for the installed packages.

        Args:
            version: gives the version of a package, None if it is not installed.
        """
        # The part after "+" names a local build of the same version.
        return all((version(name) or "").partition("+")[0] in known for name, known in self.versions.items())


def maker(spec: Spec) -> Callable[[Any], Any]:
    """The function from the original to the replacement that a row names; it imports the function's module."""
    if isinstance(spec, Use):
        replacement = _named(spec.path)
        return lambda original: replacement
    return _named(spec) if isinstance(spec, str) else spec


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), name)
