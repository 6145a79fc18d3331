"""What users take from ``mindone.diffusers``, handed on after our schedulers, kernels and mendings are in place."""

from __future__ import annotations

from typing import Any


def get(name: str) -> Any:
    """A class of ``mindone.diffusers`` that runs on this device and finds our schedulers by name."""
    from ..environment import require_mindspore

    require_mindspore()
    from .. import mendings

    mendings.apply()
    from mindone import diffusers

    from .. import adapters, cpu, schedulers
    from . import missing_weights

    part = getattr(diffusers, name)
    schedulers.register()
    cpu.enable()
    adapters.install()
    missing_weights.install()
    return part
