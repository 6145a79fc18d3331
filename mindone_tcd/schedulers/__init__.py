"""Samplers for 1 to 8 steps.

Names load when they are first used, because MindSpore and mindone take seconds to import. `methods.py` lists the
samplers and needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .methods import METHODS

if TYPE_CHECKING:
    from .affine import affine_step as affine_step
    from .base import FewStepScheduler as FewStepScheduler
    from .lcm import LCMScheduler as LCMScheduler
    from .tcd import TCDScheduler as TCDScheduler

_HOMES = {"affine_step": "affine", "FewStepScheduler": "base"}
_HOMES = {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
_HOMES |= {method.scheduler_name: method.scheduler.partition(":")[0] for method in METHODS.values()}

__all__ = sorted(_HOMES)

if not TYPE_CHECKING:  # hidden from type checkers, so that they report misspelled names

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ..environment import require_mindspore

        require_mindspore()
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
