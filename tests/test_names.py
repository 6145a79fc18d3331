"""mindone_tcd exports every name of the guides, and each is mindone's own object."""

import importlib

import pytest

import mindone_tcd
from mindone_tcd.exports import MODULES

GUIDES = [
    "AnimateDiffPipeline",
    "AutoPipelineForImage2Image",
    "AutoPipelineForInpainting",
    "ControlNetModel",
    "DiffusionPipeline",
    "DPTForDepthEstimation",
    "LatentConsistencyModelImg2ImgPipeline",
    "LatentConsistencyModelPipeline",
    "LCMScheduler",
    "MotionAdapter",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionPipeline",
    "StableDiffusionXLAdapterPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLPipeline",
    "T2IAdapter",
    "TCDScheduler",
    "UNet2DConditionModel",
    "export_to_gif",
    "load_image",
    "make_image_grid",
]


def test_the_guides_names_are_public():
    assert set(GUIDES) <= set(mindone_tcd.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_an_exported_name_is_mindones_own(name):
    assert getattr(mindone_tcd, name) is getattr(importlib.import_module(MODULES[name]), name)


def test_helpers_have_the_module_name_of_diffusers():
    from mindone_tcd.utils import export_to_gif, load_image, make_image_grid

    helpers = mindone_tcd.export_to_gif, mindone_tcd.load_image, mindone_tcd.make_image_grid
    assert (export_to_gif, load_image, make_image_grid) == helpers
    with pytest.raises(ImportError, match="nonsense"):
        from mindone_tcd.utils import nonsense  # noqa: F401


def test_the_schedulers_are_those_of_mindone_tcd():
    from mindone_tcd import schedulers

    assert mindone_tcd.TCDScheduler is schedulers.TCDScheduler
    assert mindone_tcd.LCMScheduler is schedulers.LCMScheduler
