"""Few-step image generation on MindSpore: TCD and LCM schedulers for mindone's pipelines.

The import installs the patches of :mod:`mindone_tcd.patches`, so that the pipelines of `mindone.diffusers` work with
these schedulers, in any order of imports. It imports neither MindSpore nor mindone, which takes seconds: each name is
imported at its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import patches
from .exports import MODULES as _FROM_MINDONE
from .schedulers.methods import METHODS as _METHODS
from .version import __version__ as __version__

_HOMES = {
    **{method.scheduler_name: "schedulers" for method in _METHODS.values()},
    "GeneratedClip": "generate.generated_clip",
    "GeneratedImage": "generate.generated_image",
    "SHAPES_FOLDER": "shapes.folder",
    "LoadedPipeline": "generate.loaded",
    "UsageError": "errors",
    "compile_pipeline": "compiled.pipeline",
    "contact_sheet": "generate.contact_sheet",
    "export": "generate.exporting",
    "load": "generate.loading",
    "uncompile_pipeline": "compiled.pipeline",
}
__all__ = sorted([*_HOMES, *_FROM_MINDONE])

# The same names for editors and type checkers, which read this module and do not run it.
if TYPE_CHECKING:
    from mindone.diffusers import AnimateDiffPipeline as AnimateDiffPipeline
    from mindone.diffusers import AutoencoderKL as AutoencoderKL
    from mindone.diffusers import AutoencoderTiny as AutoencoderTiny
    from mindone.diffusers import AutoPipelineForImage2Image as AutoPipelineForImage2Image
    from mindone.diffusers import AutoPipelineForInpainting as AutoPipelineForInpainting
    from mindone.diffusers import AutoPipelineForText2Image as AutoPipelineForText2Image
    from mindone.diffusers import ControlNetModel as ControlNetModel
    from mindone.diffusers import DDIMScheduler as DDIMScheduler
    from mindone.diffusers import DiffusionPipeline as DiffusionPipeline
    from mindone.diffusers import DPMSolverMultistepScheduler as DPMSolverMultistepScheduler
    from mindone.diffusers import EulerDiscreteScheduler as EulerDiscreteScheduler
    from mindone.diffusers import LatentConsistencyModelImg2ImgPipeline as LatentConsistencyModelImg2ImgPipeline
    from mindone.diffusers import LatentConsistencyModelPipeline as LatentConsistencyModelPipeline
    from mindone.diffusers import MotionAdapter as MotionAdapter
    from mindone.diffusers import MultiAdapter as MultiAdapter
    from mindone.diffusers import MultiControlNetModel as MultiControlNetModel
    from mindone.diffusers import StableDiffusionAdapterPipeline as StableDiffusionAdapterPipeline
    from mindone.diffusers import StableDiffusionControlNetImg2ImgPipeline as StableDiffusionControlNetImg2ImgPipeline
    from mindone.diffusers import StableDiffusionControlNetPipeline as StableDiffusionControlNetPipeline
    from mindone.diffusers import StableDiffusionImg2ImgPipeline as StableDiffusionImg2ImgPipeline
    from mindone.diffusers import StableDiffusionInpaintPipeline as StableDiffusionInpaintPipeline
    from mindone.diffusers import StableDiffusionPipeline as StableDiffusionPipeline
    from mindone.diffusers import StableDiffusionXLAdapterPipeline as StableDiffusionXLAdapterPipeline
    from mindone.diffusers import (
        StableDiffusionXLControlNetImg2ImgPipeline as StableDiffusionXLControlNetImg2ImgPipeline,
    )
    from mindone.diffusers import StableDiffusionXLControlNetPipeline as StableDiffusionXLControlNetPipeline
    from mindone.diffusers import StableDiffusionXLImg2ImgPipeline as StableDiffusionXLImg2ImgPipeline
    from mindone.diffusers import StableDiffusionXLInpaintPipeline as StableDiffusionXLInpaintPipeline
    from mindone.diffusers import StableDiffusionXLPipeline as StableDiffusionXLPipeline
    from mindone.diffusers import T2IAdapter as T2IAdapter
    from mindone.diffusers import UNet2DConditionModel as UNet2DConditionModel
    from mindone.diffusers import UNetMotionModel as UNetMotionModel
    from mindone.diffusers.utils import export_to_gif as export_to_gif
    from mindone.diffusers.utils import load_image as load_image
    from mindone.diffusers.utils import make_image_grid as make_image_grid
    from mindone.transformers import CLIPTextModel as CLIPTextModel
    from mindone.transformers import CLIPTextModelWithProjection as CLIPTextModelWithProjection
    from mindone.transformers import CLIPVisionModelWithProjection as CLIPVisionModelWithProjection
    from mindone.transformers import DPTForDepthEstimation as DPTForDepthEstimation
    from mindone.transformers import DPTImageProcessor as DPTImageProcessor

    from .compiled.pipeline import compile_pipeline as compile_pipeline
    from .compiled.pipeline import uncompile_pipeline as uncompile_pipeline
    from .errors import UsageError as UsageError
    from .generate.contact_sheet import contact_sheet as contact_sheet
    from .generate.exporting import export as export
    from .generate.generated_clip import GeneratedClip as GeneratedClip
    from .generate.generated_image import GeneratedImage as GeneratedImage
    from .generate.loaded import LoadedPipeline as LoadedPipeline
    from .generate.loading import load as load
    from .schedulers import LCMScheduler as LCMScheduler
    from .schedulers import TCDScheduler as TCDScheduler
    from .shapes.folder import SHAPES_FOLDER as SHAPES_FOLDER
else:  # hidden from type checkers, so that they report misspelled names

    def __getattr__(name: str) -> Any:
        if name in _FROM_MINDONE:
            # Not stored, because `patches.remove()` may change the object.
            return importlib.import_module(".exports", __name__).get(name)
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "patches"]


patches.install()
