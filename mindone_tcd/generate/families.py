"""The families of base models, and the pipeline class of each family for each way of generating."""

from __future__ import annotations

from ..errors import UsageError
from ..files.model_folder import Model

FAMILIES: dict[str, tuple[str, ...]] = {
    "SDXL": (
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
    ),
    "SD": (
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
    ),
    "LCM": ("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"),
}
"""The pipeline classes that a model's folder can name. The first of a family generates from text alone."""

_CLASSES: dict[tuple[str, str, str | None], str] = {
    ("SDXL", "text", None): "StableDiffusionXLPipeline",
    ("SDXL", "image", None): "StableDiffusionXLImg2ImgPipeline",
    ("SDXL", "inpaint", None): "StableDiffusionXLInpaintPipeline",
    ("SDXL", "text", "controlnet"): "StableDiffusionXLControlNetPipeline",
    ("SDXL", "image", "controlnet"): "StableDiffusionXLControlNetImg2ImgPipeline",
    ("SDXL", "text", "t2i-adapter"): "StableDiffusionXLAdapterPipeline",
    ("SD", "text", None): "StableDiffusionPipeline",
    ("SD", "image", None): "StableDiffusionImg2ImgPipeline",
    ("SD", "inpaint", None): "StableDiffusionInpaintPipeline",
    ("SD", "text", "controlnet"): "StableDiffusionControlNetPipeline",
    ("SD", "image", "controlnet"): "StableDiffusionControlNetImg2ImgPipeline",
    ("SD", "text", "t2i-adapter"): "StableDiffusionAdapterPipeline",
    ("SD", "animate", None): "AnimateDiffPipeline",
    ("LCM", "text", None): "LatentConsistencyModelPipeline",
    ("LCM", "image", None): "LatentConsistencyModelImg2ImgPipeline",
}

_WITH = {None: "", "controlnet": " with a ControlNet", "t2i-adapter": " with a T2I-Adapter"}
_FROM = {"text": "text to image", "image": "image to image", "inpaint": "inpainting", "animate": "animation"}


def family_of(model: Model) -> str:
    """Return a model's family, a key of :data:`FAMILIES`.

    Raises:
        UsageError: if its pipeline class is in no family.
    """
    for family, classes in FAMILIES.items():
        if model.pipeline_class in classes:
            return family
    known = ", ".join(classes[0] for classes in FAMILIES.values())
    raise UsageError(
        f"{model.name} is a {model.pipeline_class}; expected a pipeline that generates from text, such as {known}: use "
        "the pipeline class itself, which you can import from mindone_tcd"
    )


def pipeline_class(family: str, mode: str, network: str | None) -> str:
    """Return the name of a pipeline class of mindone.diffusers.

    Args:
        family: a key of :data:`FAMILIES`.
        mode: ``text``, ``image``, ``inpaint`` or ``animate``.
        network: the network that reads a control map: ``controlnet``, ``t2i-adapter`` or None.

    Raises:
        UsageError: if there is no such pipeline.
    """
    found = _CLASSES.get((family, mode, network))
    if found is None and mode == "animate":
        raise UsageError(
            f"AnimateDiff needs a model in the layout of SD 1.5, but this one is {family}; pass another model"
        )
    if found is None:
        others = [
            f"{_FROM[other_mode]}{_WITH[other_network]}"
            for other, other_mode, other_network in _CLASSES
            if other == family and (other_mode == mode or other_network == network)
        ]
        raise UsageError(
            f"{family} models have no pipeline for {_FROM[mode]}{_WITH[network]}; related ones: {', '.join(others)}"
        )
    return found
