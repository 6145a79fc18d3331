"""Putting the remedies in place, in the modules that are loaded and in those that come later."""

from __future__ import annotations

from .. import quiet
from ..environment import version
from ..replacing import Replacing
from .table import ANY, MENDINGS, Mending

_replacing: Replacing | None = None


def needed(installed: str | None = None) -> tuple[Mending, ...]:
    """The mendings for a version of mindone, by default the installed one."""
    found = (installed or version("mindone") or "").partition("+")[0]  # a build of one's own is of that version still
    return tuple(mending for mending in MENDINGS if mending.versions == ANY or found in mending.versions)


def applied() -> bool:
    """Whether the remedies are in place."""
    return _replacing is not None


def apply() -> None:
    """Put the remedies that the installed mindone needs in place; it may be called again, before or after mindone.

    It imports nothing of mindone. A version in which the defects were not seen is left as it is.
    """
    global _replacing
    if _replacing is None:
        makers = {name: make for mending in needed() for name, make in mending.replaced.items()}
        _replacing = Replacing({**quiet.REPLACED, **makers})
        _replacing.start()


def withdraw() -> None:
    """Take the remedies out again, for tests; what they did to a model stays done, and so do the schedulers' names."""
    global _replacing
    if _replacing is not None:
        _replacing.stop()
        _replacing = None
