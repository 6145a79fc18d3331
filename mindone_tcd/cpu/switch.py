"""Switching the replacements on and off.

mint functions are module attributes that mindone reads at call time, so assigning the attribute is enough, before or
after mindone's import; the few names that mindone has copied into its own modules are found by identity. mindone's
own functions are replaced in the modules that are loaded at once, in the others when they are imported
(`mindone_tcd/replacing.py`).
"""

from collections.abc import Callable

import mindspore as ms
import mindspore.ops.tensor_method  # bound to ops only once imported

from ..concurrency import one_at_a_time
from ..replacing import Replacing, exchange_copies
from ..replacing import owner as _owner
from . import native
from .mindone_functions import REPLACED, REWRITTEN
from .runtime import compute_where_called
from .table import REPLACEMENTS

_copied = ("mindone.", "mindspore.mint")


def _always(replacement: Callable) -> Callable[[object], Callable]:
    return lambda original: replacement


_hook = Replacing({**{name: _always(replacement) for name, replacement in REPLACED.items()}, **REWRITTEN})
_undo = _hook.undo


def device() -> str:
    """What this process computes on, such as CPU or Ascend: the one place that asks."""
    return ms.get_context("device_target")


def needed() -> bool:
    """Whether this process computes on a CPU."""
    return device() == "CPU"


def table() -> dict[str, Callable]:
    """Everything that `enable` replaces: the original's name → its replacement (for `REWRITTEN`, what makes it)."""
    return {**REPLACEMENTS, **REPLACED, **REWRITTEN}


def enabled() -> bool:
    """Whether the replacements are in place."""
    return bool(_undo)


@one_at_a_time
def enable() -> bool:
    """Give MindSpore's CPU backend the kernels that mindone's models need; True when they are in place.

    Call it in any order relative to mindone's import, as often as you like. On any other device it changes nothing
    and returns False. It also makes operations and graphs run where they are called (`runtime.py`), which is faster
    on few cores; an error then appears where it happens.
    """
    if not needed():
        return False
    if enabled():
        return True
    compute_where_called()
    native.prepare()
    for name, replacement in REPLACEMENTS.items():
        _hook.replace(*_owner(ms, name), replacement)
    exchange_copies({id(original): getattr(owner, attribute) for owner, attribute, original in _undo}, _copied)
    _hook.start()
    return True


@one_at_a_time
def disable() -> None:
    """Put every original back. Graphs that are already compiled keep their kernels, launches stay blocking."""
    if not enabled():
        return
    exchange_copies({id(getattr(owner, attribute)): original for owner, attribute, original in _undo}, _copied)
    _hook.stop()
