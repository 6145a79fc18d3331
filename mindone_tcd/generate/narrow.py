"""Find the networks that can be read in float16 without a loss, to save memory before they are quantized."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..files.safetensors import read_header
from .setup import Setup
from .weights import Weights, weights_of_lora, weights_of_model, weights_of_part

_NARROW = frozenset({"F16"})


def narrow_networks(setup: Setup) -> tuple[str, ...]:
    """Return which of ``unet`` and ``controlnet`` have only float16 values in their files, and in those of LoRAs.

    Such a network, read in float16 and widened layer by layer, has exactly the weights of one that was read in float32.
    Networks on a hub are left out, because their files are not known before they are loaded.

    Args:
        setup: what will be loaded.
    """
    found = []
    model = weights_of_model(setup.model) if setup.model.local else None
    loras = [] if setup.recipe.lora is None else [weights_of_lora(setup.recipe.lora)]
    loras += [weights_of_part(part) for part in setup.parts if part.role in ("style", "motion")]
    # These change the UNet itself, and keep their own dtype.
    others = setup.of("ip-adapter") or setup.of("motion-adapter")
    unet = {} if model is None else {name: path for name, path in model.files.items() if name.startswith("unet/")}
    if unet and not others and _are_narrow(unet.values()) and all(_is_narrow(each) for each in loras):
        found.append("unet")
    networks = [weights_of_part(part) for part in setup.of("controlnet")]
    if networks and all(_is_narrow(each) for each in networks):
        found.append("controlnet")
    return tuple(found)


def _is_narrow(weights: Weights | None) -> bool:
    return weights is not None and _are_narrow(weights.files.values())


def _are_narrow(files: Iterable[Path]) -> bool:
    return all({entry.dtype for entry in read_header(file).tensors.values()} <= _NARROW for file in files)
