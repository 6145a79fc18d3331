"""Which model and which recipe a call means, found out without loading anything."""

from __future__ import annotations

from dataclasses import replace

from .folder import Model, check_lora, find_model
from .recipes import Recipe, recipe


def plan(model: str, method: str, lora: str | None) -> tuple[Model, Recipe]:
    """Find the model and its recipe without loading anything.

    Args:
        model: ``shapes``, a folder, or a hub id.
        method: ``tcd`` or ``lcm``.
        lora: a folder, a file or a hub id in place of the recipe's; ``none`` for no LoRA.

    Raises:
        UsageError: for whatever cannot work.
    """
    found = find_model(model)
    # A hub id's class is known only once it is fetched; both families' ids tell it well enough for the LoRA.
    guess = "StableDiffusionXLPipeline" if "xl" in found.location.lower() else "StableDiffusionPipeline"
    chosen = recipe(method, found.pipeline_class or guess, found.shipped)
    if lora is not None:
        chosen = replace(chosen, lora=None if lora.lower() == "none" else lora)
    if chosen.lora is not None:
        check_lora(chosen.lora)
    return found, chosen
