"""Which base model, LoRA, number of steps, guidance scale and eta belong together, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError

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


LORAS: dict[tuple[str, str], str] = {
    ("StableDiffusionXLPipeline", "tcd"): "h1t/TCD-SDXL-LoRA",
    ("StableDiffusionXLPipeline", "lcm"): "latent-consistency/lcm-lora-sdxl",
    ("StableDiffusionPipeline", "tcd"): "h1t/TCD-SD15-LoRA",
    ("StableDiffusionPipeline", "lcm"): "latent-consistency/lcm-lora-sdv1-5",
}
"""The published LoRA for a pipeline class and a method."""


def recipe(method: str, pipeline_class: str, shipped: bool) -> Recipe:
    """The recipe of a method for a model.

    Args:
        method: ``tcd`` or ``lcm``.
        pipeline_class: the class that the model's ``model_index.json`` names.
        shipped: whether it is the model in this package, which has LoRAs of its own.

    Raises:
        UsageError: for another method, or a pipeline class that has no published LoRA.
    """
    chosen = Recipe(method, None, eta=0.3 if method == "tcd" else None)
    if shipped:
        return replace(chosen, lora=str(SHAPES_FOLDER / f"{method}_lora"))
    if (pipeline_class, method) not in LORAS:
        known = ", ".join(sorted({name for name, _ in LORAS}))
        raise UsageError(f"no {method} recipe for a {pipeline_class}; there are recipes for {known}")
    return replace(chosen, lora=LORAS[pipeline_class, method])
