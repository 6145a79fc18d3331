"""Switching the CPU's kernels on and off: the group `cpu` of the patches, whose rows act while MindSpore is on a CPU.

mint functions are module attributes that mindone reads at call time, so replacing the attribute is enough, before or
after mindone's import.
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
    """What this process computes on, such as CPU or Ascend: the one place that asks."""
    return ms.get_context("device_target")


def needed() -> bool:
    """Whether this process computes on a CPU."""
    return device() == "CPU"


@functools.cache
def replacements() -> dict[str, Callable]:
    """The name of each function of MindSpore that is replaced, below `mindspore`, and its replacement."""
    return {name: maker(Use(f"cpu.{path.replace('.', ':')}"))(None) for name, path in KERNELS.items()}


def enabled() -> bool:
    """Whether the replacements are in place."""
    return GROUP in ENGINE.groups() and ENGINE.holds(CONDITION)


@one_at_a_time
def enable() -> bool:
    """Give MindSpore's CPU backend the kernels that mindone's models need; True when they are in place.

    After `import mindone_tcd`, mindone's models call it. Other code can call it in any order relative to mindone's
    import, as often as you like. On any other device it changes nothing and returns False. It also makes operations and
    graphs run where they are called (`runtime.py`), which is faster on few cores; an error then appears where it
    happens.
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
        ENGINE.hold(CONDITION, True)


@functools.cache
def _set_runtime() -> None:
    compute_where_called()


@one_at_a_time
def disable() -> None:
    """Restore every original, until `enable` is called. Compiled graphs keep their kernels, launches stay blocking."""
    ENGINE.remove([GROUP])
    ENGINE.hold(CONDITION, False)


def follow_device(importing: bool = False) -> None:
    """Switch the kernels on if MindSpore computes on a CPU now, and off if it does not.

    Args:
        importing: whether this is part of an import. Then nothing is computed: that needs the lock of the process, and
            the thread that holds it may be waiting for the same import.
    """
    if GROUP not in ENGINE.groups():
        return
    if not needed():
        ENGINE.hold(CONDITION, False)
    elif importing:
        _switch_on()
    elif not enabled() or not _set_runtime.cache_info().currsize:
        enable()


def after_module(run: Callable) -> Callable:
    """Makes what runs a module of mindone's models and then looks at the device, which is often set by then."""

    def run_and_follow(module):
        run(module)
        follow_device(importing=True)

    return run_and_follow


def before_model(original: Callable) -> Callable:
    """Makes an `__init__` of a model or pipeline that looks at the device, which may have been set since the import."""

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):
        follow_device()
        original(self, *args, **kwargs)

    return __init__


def before_loading(original: classmethod) -> classmethod:
    """Makes a class method that looks at the device first: MindSpore reads a setting with the first operation."""
    function = original.__func__

    @functools.wraps(function)
    def load(cls, *args, **kwargs):
        follow_device()
        return function(cls, *args, **kwargs)

    return classmethod(load)
