"""The patches that `import mindone_tcd` applies to other packages.

``table.py`` lists the patches as data, in the order in which they apply. Each patch belongs to a group:

- ``startup``: mindone, transformers, torch and scipy import less, for the whole process;
- ``bug``: fixes for defects of mindone, one file each in ``bugs/``;
- ``schedulers``: mindone finds our schedulers by name;
- ``adapters``: our loaders of LoRA, IP-Adapter and motion adapter files;
- ``checks``: checks of calls, models and files, before any long work;
- ``cpu``: kernels that are used when MindSpore runs on a CPU.

The environment variable ``MINDONE_TCD_PATCHES`` selects the groups that `import mindone_tcd` installs: ``off``, or a
list of groups, separated by commas.
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
    """Install patches: in loaded modules immediately, in other modules after their import.

    The function imports neither MindSpore nor mindone. Repeated calls are allowed.

    Args:
        groups: the groups to install; by default those in ``MINDONE_TCD_PATCHES``, or all if the variable is not set.

    Raises:
        UsageError: if a group does not exist.
    """
    if groups is None:
        groups = _from_environment()
    else:
        groups = tuple(groups)
        _check(groups, "groups")
    ENGINE.install(groups)


def remove() -> None:
    """Remove all patches: each replaced attribute is the original object again.

    The effects of patched code remain: changed models, and modules that the group ``startup`` imported.
    """
    ENGINE.remove()


def active() -> tuple[str, ...]:
    """Return the names of the active patches, in the order of the table."""
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
        raise UsageError(f"{source} has no group {unknown[0]!r}; expected {off}groups from: {', '.join(GROUPS)}")
