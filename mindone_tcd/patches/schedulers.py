"""Make mindone return our schedulers when it or its users look up a scheduler by name.

`mindone.diffusers` and `mindone.diffusers.schedulers` import a name at its first lookup and store it as an attribute.
The patched lookup returns our class and stores nothing. If mindone has already stored its class, ours replaces it.
mindone's classes stay available in their modules, such as `mindone.diffusers.schedulers.scheduling_lcm`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..patching import MISSING
from ..schedulers.methods import METHODS

_PACKAGES = ("mindone.diffusers", "mindone.diffusers.schedulers")


def finding_ours(original: Callable) -> Callable:
    """Wrap `_LazyModule.__getattr__`: return our schedulers for their names."""

    @functools.wraps(original)
    def __getattr__(self: Any, name: str) -> Any:
        ours = _ours(name) if self.__name__ in _PACKAGES else None
        return original(self, name) if ours is None else ours

    return __getattr__


def _instead(name: str) -> Callable[[Any], Any]:
    # If mindone has not looked up the name yet, importing our class here could be a circular import.
    return lambda original: MISSING if original is MISSING else _ours(name)


def _ours(name: str) -> type | None:
    """Return our scheduler class of that name, or None."""
    return next((method.scheduler_class() for method in METHODS.values() if method.scheduler_name == name), None)


LCMScheduler = _instead("LCMScheduler")
TCDScheduler = _instead("TCDScheduler")
