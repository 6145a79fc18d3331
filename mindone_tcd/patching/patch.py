"""A patch as data: its targets, the functions that make the replacements, and the versions that it supports."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageWarning

_PACKAGE = __package__.partition(".")[0]


class PatchError(RuntimeError):
    """A patch does not fit the installed code: a name does not exist, or a source rewrite has no match."""


class PatchWarning(UsageWarning):
    """A patch does not fit the installed code and is skipped."""


@dataclass(frozen=True)
class Use:
    """A replacement that does not use the original. The original need not exist.

    Attributes:
        path: ``"module:name"`` of the replacement, relative to this package.
    """

    path: str


Spec = str | Use | Callable[[Any], Any]
"""How a row specifies a maker, the function that makes a replacement: ``"module:function"`` relative to this package,
which is imported when the patch applies; :class:`Use`; or the function itself."""


@dataclass(frozen=True)
class Patch:
    """One row of the table of patches.

    Attributes:
        name: the patch's name, unique in the table.
        group: the group with which the patch is installed and removed.
        purpose: the purpose in a few words.
        targets: a maker for each target. A key ``"module:attribute"`` is an attribute, where dots in the attribute
            lead into classes and modules: the maker takes the original and returns the replacement. A key ``"module"``
            is the execution of a module's file: the maker takes the function that runs the file and returns another
            one; a module that is already loaded does not change. The original is the raw entry, such as a classmethod
            object. If a class inherits the attribute, the original is a function or classmethod that calls the
            parent's.
        later: the maker for targets that are known only at run time (:meth:`Engine.extend`).
        versions: the supported versions of each package; packages that are not listed may have any version.
        condition: the name of a condition that must hold (:meth:`Engine.set_condition`); none by default.
        where: for a defect of mindone, the file and function.
        defect: for a defect of mindone, what is wrong.
        met: for a defect of mindone, its effect on a user.
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
        """Return whether the patch supports the installed versions.

        Args:
            version: returns the installed version of a package, or None.
        """
        # The part after "+" names a local build of the same version.
        return all((version(name) or "").partition("+")[0] in known for name, known in self.versions.items())


def maker(spec: Spec) -> Callable[[Any], Any]:
    """Return the function from an original to its replacement; import its module if a row specifies it by name."""
    if isinstance(spec, Use):
        replacement = _named(spec.path)
        return lambda original: replacement
    return _named(spec) if isinstance(spec, str) else spec


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), name)
