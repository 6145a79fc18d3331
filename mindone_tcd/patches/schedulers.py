"""Our schedulers under the names by which mindone and its users look schedulers up.

`mindone.diffusers` and `mindone.diffusers.schedulers` import a name when it is first asked for, and then keep it. Here
the lookup gives our class and keeps nothing. A class of mindone that was looked up earlier is replaced. mindone's own
classes stay in their modules, such as `mindone.diffusers.schedulers.scheduling_lcm`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..patching import MISSING
from ..schedulers.methods import METHODS

_PACKAGES = ("mindone.diffusers", "mindone.diffusers.schedulers")


def finding_ours(original: Callable) -> Callable:
    """`_LazyModule.__getattr__` that gives our schedulers."""

    @functools.wraps(original)
    def __getattr__(self: Any, name: str) -> Any:
        ours = _ours(name) if self.__name__ in _PACKAGES else None
        return original(self, name) if ours is None else ours

    return __getattr__


def _instead(name: str) -> Callable[[Any], Any]:
    # Importing our class here, where the package has not looked the name up yet, could be a circular import.
    return lambda original: MISSING if original is MISSING else _ours(name)


def _ours(name: str) -> type | None:
    """The scheduler of that name that a method has."""
    return next((method.scheduler_class() for method in METHODS.values() if method.scheduler_name == name), None)


LCMScheduler = _instead("LCMScheduler")
TCDScheduler = _instead("TCDScheduler")
