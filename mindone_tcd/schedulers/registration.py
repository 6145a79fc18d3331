"""Lets mindone load pipelines that were saved with our schedulers: it looks classes up by name in mindone.diffusers."""

from __future__ import annotations

from .lcm import LCMScheduler
from .tcd import TCDScheduler


def register() -> None:
    """Puts both classes on `mindone.diffusers` and `mindone.diffusers.schedulers`; may be called again.

    mindone 0.5 lists no TCDScheduler there, so a folder whose model_index.json names it would not load, and its
    LCMScheduler would come back in place of ours. mindone's own classes stay in their modules, such as
    `mindone.diffusers.schedulers.scheduling_tcd`.
    """
    import mindone.diffusers
    import mindone.diffusers.schedulers

    for scheduler in (TCDScheduler, LCMScheduler):
        for module in (mindone.diffusers, mindone.diffusers.schedulers):
            setattr(module, scheduler.__name__, scheduler)
