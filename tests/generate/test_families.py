"""The families of models, and the pipeline for each way of generating."""

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate.families import _CLASSES, FAMILIES, family_of, pipeline_class


def model(name):
    return Model("owner/name", "owner/name", False, name)


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in FAMILIES.items() for name in names])
def test_each_class_is_in_one_family(family, name):
    assert family_of(model(name)) == family


@pytest.mark.parametrize("name", ["AnimateDiffPipeline", "FluxPipeline", "StableDiffusionUpscalePipeline", ""])
def test_other_classes_are_refused(name):
    with pytest.raises(UsageError, match=f"^owner/name is a {name}; expected a pipeline that generates from text"):
        family_of(model(name))


def test_the_first_class_of_a_family_starts_from_text():
    for family, names in FAMILIES.items():
        assert pipeline_class(family, "text", None) == names[0]


@pytest.mark.parametrize(
    ("family", "mode", "network", "found"),
    [
        ("SDXL", "image", None, "StableDiffusionXLImg2ImgPipeline"),
        ("SDXL", "text", "t2i-adapter", "StableDiffusionXLAdapterPipeline"),
        ("SD", "image", "controlnet", "StableDiffusionControlNetImg2ImgPipeline"),
        ("SD", "animate", None, "AnimateDiffPipeline"),
        ("LCM", "image", None, "LatentConsistencyModelImg2ImgPipeline"),
    ],
)
def test_known_pipelines(family, mode, network, found):
    assert pipeline_class(family, mode, network) == found


@pytest.mark.parametrize(
    ("family", "mode", "network", "message"),
    [
        ("SDXL", "animate", None, "SDXL models have no pipeline for animation; related ones: text to image, image to"),
        (
            "SDXL",
            "inpaint",
            "controlnet",
            "no pipeline for inpainting with a ControlNet; related ones: inpainting, text",
        ),
        ("SDXL", "image", "t2i-adapter", "no pipeline for image to image with a T2I-Adapter; related ones: image to"),
        ("LCM", "inpaint", None, "LCM models have no pipeline for inpainting; related ones: text to image, image to"),
        (
            "LCM",
            "text",
            "controlnet",
            "LCM models have no pipeline for text to image with a ControlNet; related ones: te",
        ),
        ("SD", "animate", "controlnet", "SD models have no pipeline for animation with a ControlNet"),
    ],
)
def test_pipelines_that_do_not_exist(family, mode, network, message):
    with pytest.raises(UsageError, match=message) as caught:
        pipeline_class(family, mode, network)
    assert "\n" not in str(caught.value)


def test_mindone_has_each_class():
    import mindone.diffusers

    for name in {*_CLASSES.values(), *(name for names in FAMILIES.values() for name in names)}:
        assert hasattr(mindone.diffusers, name), name
