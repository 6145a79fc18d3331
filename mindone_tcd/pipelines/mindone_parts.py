"""What users take from ``mindone.diffusers``, handed on after our schedulers and kernels are in place."""

from __future__ import annotations

from typing import Any


def get(name: str) -> Any:
    """A class of ``mindone.diffusers`` that runs on this device and finds our schedulers by name."""
    from ..environment import require_mindspore

    require_mindspore()
    from mindone import diffusers

    from .. import cpu, schedulers

    part = getattr(diffusers, name)
    schedulers.register()
    cpu.enable()
    _install_checks()
    return part


def _install_checks() -> None:
    from mindone.diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from . import checked_call, half_precision_vae

    checked_call.install(DiffusionPipeline)
    half_precision_vae.install(AutoencoderKL)
