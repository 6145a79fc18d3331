"""The names of mindone that this package also exports."""

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
"""For each exported name, the module of mindone that defines it."""


@one_at_a_time
def get(name: str) -> Any:
    """Import and return an object of mindone, by its name in :data:`MODULES`."""
    from .environment import require_mindspore

    require_mindspore()
    return getattr(importlib.import_module(MODULES[name]), name)
