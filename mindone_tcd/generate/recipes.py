"""The matching base models, LoRAs, numbers of steps, guidance scales and etas, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import UsageError
from ..files.model_folder import Model
from ..schedulers.methods import METHODS, find_method
from ..shapes.models import lora_folder
from .families import FAMILIES, family_of


@dataclass(frozen=True)
class Recipe:
    """The settings of a few-step method. An unknown method raises a :class:`UsageError`.

    Attributes:
        method: the name of a row in :data:`~mindone_tcd.schedulers.methods.METHODS`, such as ``tcd``.
        lora: a folder, a safetensors file or a hub id; None for a model that needs none.
        steps: number of inference steps.
        guidance_scale: classifier-free guidance; values up to 1 disable it and halve the cost.
        eta: the stochasticity parameter, from 0 to 1; None for a method without eta, such as ``lcm``.
    """

    method: str
    lora: str | None
    steps: int = 4
    guidance_scale: float = 0.0
    eta: float | None = None

    def __post_init__(self) -> None:
        find_method(self.method)


def recipe(method: str, model: Model) -> Recipe:
    """Return the recipe of a method for a model, without its LoRA.

    Args:
        method: the name of a method, such as ``tcd``.
        model: from :func:`~mindone_tcd.files.model_folder.find_model`.

    Raises:
        UsageError: if the method is unknown, the model is of no known family, or it is a latent consistency model and
            the method cannot use one.
    """
    row = find_method(method)
    chosen = Recipe(row.name, None, steps=row.steps, guidance_scale=row.guidance_scale, eta=row.eta)
    family_of(model)
    if not model.guidance_embedded:
        return chosen
    if row.embedded_guidance_scale is None:
        fit = " or ".join(each.name for each in METHODS.values() if each.embedded_guidance_scale is not None)
        raise UsageError(f"{model.name} is a latent consistency model; choose the method {fit}")
    return replace(chosen, guidance_scale=row.embedded_guidance_scale)


def lora_of(method: str, model: Model) -> str | None:
    """Return the LoRA that a model needs for a method: a folder or a hub id; None if the model needs none.

    Raises:
        UsageError: if the method is unknown, or no LoRA is known for such a model.
    """
    row = find_method(method)
    if model.shipped and not model.guidance_embedded:
        return None if row.shipped_lora is None else str(lora_folder(model.name, row.shipped_lora))
    if model.guidance_embedded or not row.distilled:
        return None
    text_pipeline = FAMILIES[family_of(model)][0]
    lora = row.loras.get((text_pipeline, model.cross_attention_dim or 0))
    if lora is None or model.prediction_type not in (None, "epsilon"):
        raise UsageError(
            f"no {method} LoRA is known for {model.name} (a {model.pipeline_class}, cross_attention_dim "
            f"{model.cross_attention_dim}, prediction_type {model.prediction_type}); pass one as lora, or 'none'"
        )
    return lora
