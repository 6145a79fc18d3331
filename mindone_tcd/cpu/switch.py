"""Enable and disable the CPU kernels: the patches of the group `cpu`, which apply while MindSpore runs on a CPU.

mindone reads mint functions as module attributes at call time. Replacing the attribute is therefore sufficient, before
or after mindone's import.
"""

import functools
from collections.abc import Callable

import mindspore as ms

from ..concurrency import one_at_a_time
from ..patches import ENGINE
from ..patches.cpu_kernels import KERNELS
from ..patching.patch import Use, maker
from . import native
from .runtime import compute_where_called

GROUP = CONDITION = "cpu"


def device() -> str:
    """Return MindSpore's device target, such as "CPU" or "Ascend". Only this function reads it."""
    return ms.get_context("device_target")


def needed() -> bool:
    """Return whether MindSpore runs on a CPU."""
    return device() == "CPU"


@functools.cache
def replacements() -> dict[str, Callable]:
    """Return the replacement of each function, by the function's name in `mindspore`."""
    return {name: maker(Use(f"cpu.{path.replace('.', ':')}"))(None) for name, path in KERNELS.items()}


def enabled() -> bool:
    """Return whether the replacements are active."""
    return GROUP in ENGINE.groups() and ENGINE.holds(CONDITION)


@one_at_a_time
def enable() -> bool:
    """Replace functions that MindSpore's CPU backend lacks or runs slowly by this package's kernels.

    After `import mindone_tcd`, mindone's models call this function. Other code can call it before or after mindone's
    import, and repeatedly. The function also makes operations and graphs run in the calling thread (`runtime.py`),
    which is faster on few cores. An error then occurs at the line that causes it.

    Returns:
        True on a CPU. On another device, the function changes nothing and returns False.
    """
    if not needed():
        return False
    _switch_on()
    _set_runtime()
    return True


def _switch_on() -> None:
    if not enabled():
        native.prepare()
        ENGINE.install([GROUP])
        ENGINE.set_condition(CONDITION, True)


@functools.cache
def _set_runtime() -> None:
    compute_where_called()


@one_at_a_time
def prepare_runtime() -> None:
    """On a CPU, make operations and graphs run in the calling thread, without the kernels of this package."""
    if needed():
        _set_runtime()


@one_at_a_time
def disable() -> None:
    """Restore all original functions until the next call of `enable`.

    Compiled graphs keep their kernels, and operations still run in the calling thread.
    """
    ENGINE.remove([GROUP])
    ENGINE.set_condition(CONDITION, False)


def follow_device(importing: bool = False) -> None:
    """Enable the kernels if MindSpore runs on a CPU now, and disable them if it does not.

    Args:
        importing: whether the call is part of an import. The function then runs no operation, because an operation
            needs the process-wide lock, and the thread that holds the lock may be waiting for the same import.
    """
    if GROUP not in ENGINE.groups():
        return
    if not needed():
        ENGINE.set_condition(CONDITION, False)
    elif importing:
        _switch_on()
    elif not enabled() or not _set_runtime.cache_info().currsize:
        enable()


def after_module(run: Callable) -> Callable:
    """Wrap the execution of a module of mindone's models: call :func:`follow_device` afterwards."""

    def run_and_follow(module):
        run(module)
        follow_device(importing=True)

    return run_and_follow


def before_model(original: Callable) -> Callable:
    """Wrap `__init__` of a model or pipeline: call :func:`follow_device` first.

    The device may have been set after the import.
    """

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):
        follow_device()
        original(self, *args, **kwargs)

    return __init__


def before_loading(original: classmethod) -> classmethod:
    """Wrap a class method that loads or creates an object: call :func:`follow_device` first.

    MindSpore reads a setting of `runtime.py` only once, at the first operation.
    """
    function = original.__func__

    @functools.wraps(function)
    def load(cls, *args, **kwargs):
        follow_device()
        return function(cls, *args, **kwargs)

    return classmethod(load)
