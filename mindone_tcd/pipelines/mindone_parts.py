"""What users take from mindone, handed on after our schedulers, kernels, mendings and checks are in place."""

from __future__ import annotations

import importlib
from typing import Any

from ..concurrency import one_at_a_time

_NAMES = {
    "mindone.diffusers": """
        AnimateDiffPipeline AutoencoderKL AutoencoderTiny AutoPipelineForImage2Image AutoPipelineForInpainting
        AutoPipelineForText2Image ControlNetModel DDIMScheduler DiffusionPipeline DPMSolverMultistepScheduler
        EulerDiscreteScheduler LatentConsistencyModelImg2ImgPipeline LatentConsistencyModelPipeline MotionAdapter
        MultiAdapter MultiControlNetModel StableDiffusionAdapterPipeline StableDiffusionControlNetImg2ImgPipeline
        StableDiffusionControlNetPipeline StableDiffusionImg2ImgPipeline StableDiffusionInpaintPipeline
        StableDiffusionPipeline StableDiffusionXLAdapterPipeline StableDiffusionXLControlNetImg2ImgPipeline
        StableDiffusionXLControlNetPipeline StableDiffusionXLImg2ImgPipeline StableDiffusionXLInpaintPipeline
        StableDiffusionXLPipeline T2IAdapter UNet2DConditionModel UNetMotionModel
    """,
    "mindone.diffusers.utils": "export_to_gif load_image make_image_grid",
    "mindone.transformers": """
        CLIPTextModel CLIPTextModelWithProjection CLIPVisionModelWithProjection DPTForDepthEstimation DPTImageProcessor
    """,
}

MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
"""Each name that can be had, and the module of mindone that has it."""


@one_at_a_time
def get(name: str) -> Any:
    """A part of mindone, by its name in :data:`MODULES`, that runs on this device and finds our schedulers by name."""
    from ..environment import require_mindspore

    require_mindspore()
    from .. import mendings

    mendings.apply()  # before anything of mindone is imported: they make that fast
    part = getattr(importlib.import_module(MODULES[name]), name)
    put_in_place()
    return part


def put_in_place() -> None:
    """Our schedulers, kernels, mendings, loaders and checks, for all of mindone; may be called again."""
    from .. import adapters, cpu, mendings, schedulers

    mendings.apply()
    schedulers.register()
    cpu.enable()
    adapters.install()
    _install_checks()


def _install_checks() -> None:
    from mindone.diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from mindone.diffusers.models.modeling_utils import ModelMixin
    from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from . import checked_call, checked_save, common_mistakes, from_pretrained, half_precision_vae

    from_pretrained.install()
    checked_call.install(DiffusionPipeline)
    common_mistakes.install(DiffusionPipeline, ModelMixin)
    checked_save.install(DiffusionPipeline, ModelMixin)
    half_precision_vae.install(AutoencoderKL)
