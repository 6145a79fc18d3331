"""Low-rank differences between a network and the shipped UNet, and the folders that hold them.

A folder has the target UNet's ``config.json`` and ``difference.safetensors``. A pair ``MODULE.lora_A.weight`` and
``MODULE.lora_B.weight`` (PEFT's form, scale 1) adds B·A to the weight of a module of the shipped UNet. Every other
tensor is a complete weight of the target UNet, which replaces or adds one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from lora import TARGETS
from safetensors.torch import save_file

FILE = "difference.safetensors"
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def product(down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """B·A: the difference of a weight, (out, in) or (out, in, k, k)."""
    return (up.flatten(1) @ down.flatten(1)).view(len(up), *down.shape[1:])


class LowRank(torch.nn.Module):
    """Trained low-rank differences for the layers of a UNet that the LoRAs of the shipped model also have.

    Args:
        unet: the UNet.
        rank: the rank.
        start: the tensors of a LoRA in PEFT's form to start from; else A is random and B is zero.
    """

    def __init__(self, unet: UNet2DConditionModel, rank: int, start: Mapping[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        self.modules_, self.downs, self.ups = [], torch.nn.ParameterList(), torch.nn.ParameterList()
        for name, module in unet.named_modules():
            if not any(name == target or name.endswith(f".{target}") for target in TARGETS):
                continue
            out, *rest = module.weight.shape
            down = torch.randn(rank, *rest) / rank
            up = torch.zeros(out, rank, *([1] * (len(rest) - 1)))
            if start is not None:
                down, up = start[name + DOWN].clone(), start[name + UP].clone()
            self.modules_.append(name)
            self.downs.append(torch.nn.Parameter(down))
            self.ups.append(torch.nn.Parameter(up))

    def added_to(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights of a UNet with the differences."""
        found = dict(weights)
        for name, down, up in zip(self.modules_, self.downs, self.ups, strict=True):
            found[f"{name}.weight"] = weights[f"{name}.weight"] + product(down, up)
        return found

    def layers(self) -> dict[str, torch.Tensor]:
        """The tensors of the differences in PEFT's form."""
        found = {}
        for name, down, up in zip(self.modules_, self.downs, self.ups, strict=True):
            found |= {name + DOWN: down.detach(), name + UP: up.detach()}
        return found


def write_difference(
    folder: Path, config: Mapping, layers: Mapping[str, torch.Tensor], full: Mapping[str, torch.Tensor]
) -> None:
    """Write the folder of a UNet that differs from the shipped one, in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in config.items() if name != "_name_or_path"}
    (folder / "config.json").write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    tensors = {**layers, **full}
    save_file({name: value.detach().half().contiguous() for name, value in tensors.items()}, folder / FILE)
