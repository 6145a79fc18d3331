"""Switching the replacements on and off.

mint functions are module attributes that mindone reads at call time, so assigning the attribute is enough, before or
after mindone's import; the few names that mindone has copied into its own modules are found by identity. mindone's
own functions are replaced at once in the modules that are loaded, and by an import hook in those that are not:
importing mindone takes ten seconds, which `enable()` must not spend.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType

import mindspore as ms
import mindspore.ops.tensor_method  # bound to ops only once imported

from .mindone_functions import REPLACED, REWRITTEN
from .table import REPLACEMENTS

_undo: list[tuple[object, str, object]] = []
_copied = ("mindone.", "mindspore.mint")


def needed() -> bool:
    """Whether this process computes on a CPU: the one place that asks for the device."""
    return ms.get_context("device_target") == "CPU"


def table() -> dict[str, Callable]:
    """Everything that `enable` replaces: the original's name → its replacement (for `REWRITTEN`, what makes it)."""
    return {**REPLACEMENTS, **REPLACED, **REWRITTEN}


def enabled() -> bool:
    """Whether the replacements are in place."""
    return bool(_undo)


def enable() -> bool:
    """Give MindSpore's CPU backend the kernels that mindone's models need; True when they are in place.

    Call it in any order relative to mindone's import, as often as you like. On any other device it changes nothing
    and returns False. It also makes kernel launches blocking: on few cores asynchronous ones are 2 to 8 times
    slower, and an error then appears where it happens.
    """
    if not needed():
        return False
    if enabled():
        return True
    ms.runtime.launch_blocking()
    for name, replacement in REPLACEMENTS.items():
        owner, attribute = _owner(ms, name)
        _replace(owner, attribute, replacement)
    _exchange_copies({id(original): getattr(owner, attribute) for owner, attribute, original in _undo})
    for module in _mindone_modules():
        if module in sys.modules:
            _replace_in(sys.modules[module])
    sys.meta_path.insert(0, _hook)
    return True


def disable() -> None:
    """Put every original back. Graphs that are already compiled keep their kernels, launches stay blocking."""
    if not enabled():
        return
    sys.meta_path.remove(_hook)
    _exchange_copies({id(getattr(owner, attribute)): original for owner, attribute, original in _undo})
    while _undo:
        owner, attribute, original = _undo.pop()
        setattr(owner, attribute, original)


def _owner(root: object, path: str) -> tuple[object, str]:
    *parents, attribute = path.split(".")
    for parent in parents:
        root = getattr(root, parent)
    return root, attribute


def _replace(owner: object, attribute: str, replacement: object) -> None:
    _undo.append((owner, attribute, getattr(owner, attribute)))
    setattr(owner, attribute, replacement)


def _exchange_copies(new: dict[int, object]) -> None:
    """Replace what modules hold under names of their own (`from … import`, `interpolate = mint…interpolate`)."""
    for name, module in list(sys.modules.items()):
        if not name.startswith(_copied) or not isinstance(module, ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if id(value) in new:
                setattr(module, key, new[id(value)])


def _mindone_modules() -> set[str]:
    return {name.partition(":")[0] for name in (*REPLACED, *REWRITTEN)}


def _replace_in(module: ModuleType) -> None:
    for name, replacement in REPLACED.items():
        if name.startswith(module.__name__ + ":"):
            _replace(*_owner(module, name.partition(":")[2]), replacement)
    for name, rewrite in REWRITTEN.items():
        if name.startswith(module.__name__ + ":"):
            owner, attribute = _owner(module, name.partition(":")[2])
            _replace(owner, attribute, rewrite(getattr(owner, attribute)))


class _Hook(importlib.abc.MetaPathFinder):
    """Lets the usual finder do its work, and replaces mindone's functions once their module has run."""

    def find_spec(self, name, path, target=None):
        if name not in _mindone_modules():
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_replace(module: ModuleType) -> None:
                run(module)
                if enabled():
                    _replace_in(module)

            spec.loader.exec_module = run_and_replace
        return spec


_hook = _Hook()
