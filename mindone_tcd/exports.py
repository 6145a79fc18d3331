"""The names of mindone that can be imported from this package, too."""

from __future__ import annotations

import importlib
from typing import Any

from .concurrency import one_at_a_time

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
    """A part of mindone, by its name in :data:`MODULES`."""
    from .environment import require_mindspore

    require_mindspore()
    return getattr(importlib.import_module(MODULES[name]), name)
