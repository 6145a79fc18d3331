"""Low-rank differences between a network and the shipped UNet, and the folders that hold them.

A folder has the target UNet's ``config.json`` and ``difference.safetensors``. A pair ``MODULE.lora_A.weight`` and
``MODULE.lora_B.weight`` (PEFT's form, scale 1) adds B·A to the weight of a module of the shipped UNet. Every other
tensor is a complete weight of the target UNet, which replaces or adds one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from lora import DOWN, TARGETS, UP
from safetensors.torch import save_file

FILE = "difference.safetensors"


def product(down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """B·A: the difference of a weight, (out, in) or (out, in, k, k)."""
    return (up.flatten(1) @ down.flatten(1)).view(len(up), *down.shape[1:])


def fused(weights: Mapping[str, torch.Tensor], layers: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a UNet with a LoRA in PEFT's form, at the weight 1."""
    found = dict(weights)
    for name, down in layers.items():
        if name.endswith(DOWN):
            module = name.removesuffix(DOWN)
            found[f"{module}.weight"] = weights[f"{module}.weight"] + product(down, layers[module + UP])
    return found


class LowRank(torch.nn.Module):
    """Trained low-rank differences for layers of a UNet: by default, those that the shipped LoRAs have.

    Args:
        unet: the UNet.
        rank: the rank.
        start: the tensors of a LoRA in PEFT's form to start from; else A is random and B is zero.
        targets: the ends of the names of the layers.
        within: a part of the names of the layers.
    """

    def __init__(
        self,
        unet: torch.nn.Module,
        rank: int,
        start: Mapping[str, torch.Tensor] | None = None,
        targets: Sequence[str] = TARGETS,
        within: str = "",
    ) -> None:
        super().__init__()
        self.modules_, self.downs, self.ups = [], torch.nn.ParameterList(), torch.nn.ParameterList()
        for name, module in unet.named_modules():
            if within not in name or not any(name == each or name.endswith(f".{each}") for each in targets):
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
        return fused(weights, self._pairs())

    def layers(self) -> dict[str, torch.Tensor]:
        """The tensors of the differences in PEFT's form."""
        return {name: value.detach() for name, value in self._pairs().items()}

    def _pairs(self) -> dict[str, torch.Tensor]:
        found = {}
        for name, down, up in zip(self.modules_, self.downs, self.ups, strict=True):
            found |= {name + DOWN: down, name + UP: up}
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
