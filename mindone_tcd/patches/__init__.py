"""Everything that `import mindone_tcd` changes in other packages.

``table.py`` lists the changes as data, in the order in which they act. The rows have groups:

- ``startup``: mindone, transformers, torch and scipy import less, for the whole process;
- ``bug``: defects of mindone, one file each in ``bugs/``;
- ``schedulers``: mindone finds our schedulers by name;
- ``adapters``: our loaders of LoRA, IP-Adapter and motion adapter files;
- ``checks``: checks of calls, models and files, before any long work;
- ``cpu``: kernels, where MindSpore computes on a CPU.

The environment variable ``MINDONE_TCD_PATCHES`` says what `import mindone_tcd` installs: ``off``, or a list of groups
to keep, separated by commas.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..environment import version
from ..errors import UsageError
from ..patching import Engine
from .table import PATCHES

VARIABLE = "MINDONE_TCD_PATCHES"
GROUPS = tuple(dict.fromkeys(patch.group for patch in PATCHES))

ENGINE = Engine(PATCHES, version)


def install(groups: Iterable[str] | None = None) -> None:
    """Install patches: in modules that are loaded now, in each other module after its import.

    It imports neither MindSpore nor mindone, and it may be called again.

    Args:
        groups: which groups; by default those that ``MINDONE_TCD_PATCHES`` names, and all if it is not set.

    Raises:
        UsageError: for a group that does not exist.
    """
    if groups is None:
        groups = _from_environment()
    else:
        groups = tuple(groups)
        _check(groups, "groups")
    ENGINE.install(groups)


def remove() -> None:
    """Remove all patches: every attribute that was replaced is the original object again.

    What patched code has done stays: models that were changed, and modules that the group ``startup`` has run in its
    own way.
    """
    ENGINE.remove()


def active() -> tuple[str, ...]:
    """The names of the patches in force, in the order of the table."""
    return tuple(patch.name for patch in ENGINE.active())


def _from_environment() -> tuple[str, ...]:
    value = os.environ.get(VARIABLE, "").strip()
    if not value:
        return GROUPS
    if value == "off":
        return ()
    groups = tuple(group.strip() for group in value.split(",") if group.strip())
    _check(groups, VARIABLE)
    return groups


def _check(groups: Iterable[str], source: str) -> None:
    unknown = [group for group in groups if group not in GROUPS]
    if unknown:
        off = "off, or " if source == VARIABLE else ""
        raise UsageError(f"{source} has no group {unknown[0]!r}; expected {off}groups out of: {', '.join(GROUPS)}")
