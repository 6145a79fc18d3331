"""The matching base models, LoRAs, numbers of steps, guidance scales and etas, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .folder import Model

SHAPES = "shapes"
"""The name of the model in the package."""

SHAPES_FOLDER = Path(__file__).resolve().parents[1] / "shapes" / "weights"

METHODS = ("tcd", "lcm")

ORIGINAL_STEPS = 50
"""Both LoRAs were distilled on a grid of 50 timesteps, so this is the maximum number of steps."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a few-step method. An unknown method raises a :class:`UsageError`.

    Attributes:
        method: ``tcd`` or ``lcm``; it also selects the scheduler.
        lora: a folder, a safetensors file or a hub id; None for a model that needs none.
        steps: number of inference steps.
        guidance_scale: classifier-free guidance; values up to 1 disable it and halve the cost.
        eta: TCD's stochasticity parameter, from 0 to 1; None for LCM, which has none.
    """

    method: str
    lora: str | None
    steps: int = 4
    guidance_scale: float = 0.0
    eta: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"unknown method {self.method!r}; choose one of: {', '.join(METHODS)}")


PIPELINES = ("StableDiffusionXLPipeline", "StableDiffusionPipeline", "LatentConsistencyModelPipeline")
"""The pipelines that generate images from text alone."""

LORAS: dict[tuple[str, int, str], str] = {
    ("StableDiffusionXLPipeline", 2048, "tcd"): "h1t/TCD-SDXL-LoRA",
    ("StableDiffusionXLPipeline", 2048, "lcm"): "latent-consistency/lcm-lora-sdxl",
    ("StableDiffusionPipeline", 768, "tcd"): "h1t/TCD-SD15-LoRA",
    ("StableDiffusionPipeline", 768, "lcm"): "latent-consistency/lcm-lora-sdv1-5",
    ("StableDiffusionPipeline", 1024, "tcd"): "h1t/TCD-SD21-base-LoRA",
}
"""The published LoRA for a pipeline class, the width of its prompt embeddings, and a method. All of them were distilled
from models that predict the noise.
"""


def recipe(method: str, model: Model) -> Recipe:
    """Return the recipe of a method for a model, without its LoRA.

    Args:
        method: ``tcd`` or ``lcm``.
        model: from :func:`~mindone_tcd.pipelines.folder.find_model`.

    Raises:
        UsageError: if the method is unknown, the pipeline needs more than a prompt, or the model is a latent
            consistency
            model and the method is not ``lcm``.
    """
    chosen = Recipe(method, None, eta=0.3 if method == "tcd" else None)
    if model.pipeline_class not in PIPELINES:
        raise UsageError(
            f"{model.name} is a {model.pipeline_class}; expected a text-to-image pipeline, one of "
            f"{', '.join(PIPELINES)}: use the pipeline class itself, which you can import from mindone_tcd"
        )
    if not model.guidance_embedded:
        return chosen
    if method != "lcm":
        raise UsageError(f"{model.name} is a latent consistency model; choose the method lcm")
    return replace(chosen, guidance_scale=8.0)


def lora_of(method: str, model: Model) -> str | None:
    """Return the LoRA that a model needs for a method: a folder or a hub id; None if the model needs none.

    Raises:
        UsageError: if no LoRA is published for such a model.
    """
    if model.shipped:
        return str(SHAPES_FOLDER / f"{method}_lora")
    if model.guidance_embedded:
        return None
    lora = LORAS.get((model.pipeline_class, model.cross_attention_dim or 0, method))
    if lora is None or model.prediction_type not in (None, "epsilon"):
        raise UsageError(
            f"no {method} LoRA is known for {model.name} (a {model.pipeline_class}, cross_attention_dim "
            f"{model.cross_attention_dim}, prediction_type {model.prediction_type}); pass one as lora, or 'none'"
        )
    return lora
