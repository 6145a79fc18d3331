"""Which base model, LoRA, number of steps, guidance scale and eta belong together, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .folder import Model

SHAPES = "shapes"
"""The name of the model that ships in the package."""

SHAPES_FOLDER = Path(__file__).resolve().parents[1] / "shapes" / "weights"

METHODS = ("tcd", "lcm")

ORIGINAL_STEPS = 50
"""Both LoRAs were distilled on a grid of 50 timesteps, so no more steps than that can be taken."""


@dataclass(frozen=True)
class Recipe:
    """How a few-step method is used. An unknown method is a :class:`UsageError` as soon as a recipe names it.

    Attributes:
        method: ``tcd`` or ``lcm``, which is also the scheduler.
        lora: a folder, a safetensors file or a hub id; None for a model that needs none.
        steps: number of inference steps.
        guidance_scale: classifier-free guidance; 1 and below is none, and halves the cost.
        eta: TCD's share of fresh noise a step, from 0 to 1; None for LCM, which has no such choice.
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
"""What makes pictures from text alone."""

LORAS: dict[tuple[str, int, str], str] = {
    ("StableDiffusionXLPipeline", 2048, "tcd"): "h1t/TCD-SDXL-LoRA",
    ("StableDiffusionXLPipeline", 2048, "lcm"): "latent-consistency/lcm-lora-sdxl",
    ("StableDiffusionPipeline", 768, "tcd"): "h1t/TCD-SD15-LoRA",
    ("StableDiffusionPipeline", 768, "lcm"): "latent-consistency/lcm-lora-sdv1-5",
    ("StableDiffusionPipeline", 1024, "tcd"): "h1t/TCD-SD21-base-LoRA",
}
"""The published LoRA for a pipeline class, the width of its prompt's embeddings, and a method. All of them were
distilled from models that predict the noise."""


def recipe(method: str, model: Model) -> Recipe:
    """The recipe of a method for a model, still without LoRA.

    Args:
        method: ``tcd`` or ``lcm``.
        model: as :func:`~mindone_tcd.pipelines.folder.find_model` describes it.

    Raises:
        UsageError: for another method, a pipeline that needs more than a prompt, and a latent consistency model with
            another method than ``lcm``.
    """
    chosen = Recipe(method, None, eta=0.3 if method == "tcd" else None)
    if model.pipeline_class not in PIPELINES:
        raise UsageError(
            f"{model.name} is a {model.pipeline_class}; this makes pictures from text alone, with one of "
            f"{', '.join(PIPELINES)}: take the pipeline itself, by its name from mindone_tcd"
        )
    if not model.guidance_embedded:
        return chosen
    if method != "lcm":
        raise UsageError(f"{model.name} is a latent consistency model; choose the method lcm")
    return replace(chosen, guidance_scale=8.0)


def lora_of(method: str, model: Model) -> str | None:
    """The LoRA that makes a model fit for a method: a folder or a hub id; None if the model needs none.

    Raises:
        UsageError: if none is published for such a model.
    """
    if model.shipped:
        return str(SHAPES_FOLDER / f"{method}_lora")
    if model.guidance_embedded:
        return None
    lora = LORAS.get((model.pipeline_class, model.cross_attention_dim or 0, method))
    if lora is None or model.prediction_type not in (None, "epsilon"):
        raise UsageError(
            f"no {method} LoRA is known for {model.name} (a {model.pipeline_class}, cross_attention_dim "
            f"{model.cross_attention_dim}, prediction_type {model.prediction_type}); name one with lora, or 'none'"
        )
    return lora
