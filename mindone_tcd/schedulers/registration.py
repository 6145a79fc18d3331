"""Makes mindone find our schedulers, which it looks up by name in mindone.diffusers when it loads a saved pipeline."""

from __future__ import annotations

import mindone.diffusers
import mindone.diffusers.schedulers

from ..errors import UsageError
from .base import FewStepScheduler
from .methods import BUILT_IN, METHODS


def register() -> None:
    """Put the schedulers of all methods on `mindone.diffusers` and `mindone.diffusers.schedulers`.

    Further calls change nothing, unless methods were added. mindone 0.5 exports no TCDScheduler, so a folder whose
    model_index.json names it would not load, and mindone's LCMScheduler would be loaded instead of ours. mindone's own
    classes stay in their modules, such as `mindone.diffusers.schedulers.scheduling_tcd`.

    Raises:
        UsageError: as in `publish`, for a method that was added.
    """
    for method in METHODS.values():
        (_put if method.name in BUILT_IN else publish)(method.scheduler_class())


def publish(scheduler: type[FewStepScheduler]) -> None:
    """Put one more scheduler there.

    Raises:
        UsageError: if mindone.diffusers has something else of that name.
    """
    name = scheduler.__name__
    present = getattr(mindone.diffusers, name, scheduler)
    if not isinstance(present, type) or not issubclass(present, FewStepScheduler):
        raise UsageError(f"mindone.diffusers has a {name} of its own; give your scheduler's class another name")
    _put(scheduler)


def _put(scheduler: type[FewStepScheduler]) -> None:
    for module in (mindone.diffusers, mindone.diffusers.schedulers):
        setattr(module, scheduler.__name__, scheduler)
