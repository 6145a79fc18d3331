"""The LoRA of a student: added to its UNet, loaded from a folder, and saved in one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, tensor

FILE = "pytorch_lora_weights.safetensors"
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
           "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"]  # fmt: skip


DOWN, UP = ".lora_A.weight", ".lora_B.weight"
"""The ends of the names of a pair of tensors in PEFT's form."""


def read_lora(folder: Path, unet: UNet2DConditionModel | None = None) -> dict[str, Tensor]:
    """The float32 tensors of a LoRA in PEFT's form, under the names of the UNet's modules.

    Args:
        folder: contains the file, in PEFT's form or under kohya's names.
        unet: the UNet, whose modules kohya's names refer to; needed only for these.
    """
    tensors = load_file(folder / FILE)
    if not any(name.startswith(KOHYA) for name in tensors):
        return {name.removeprefix("unet."): value.float() for name, value in tensors.items()}
    found = {}
    for name, _ in unet.named_modules():
        flat = KOHYA + name.replace(".", "_")
        if f"{flat}.alpha" in tensors:
            found |= {name + end: tensors[f"{flat}.lora_{s}.weight"].float() for s, end in (("down", DOWN), ("up", UP))}
    return found


KOHYA = "lora_unet_"


def kohya(layers: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The tensors of a LoRA, which are in PEFT's form, in float16 under kohya's names. Its scale is 1."""
    found = {}
    for name, value in layers.items():
        side, end = ("down", DOWN) if name.endswith(DOWN) else ("up", UP)
        flat = KOHYA + name.removesuffix(end).replace(".", "_")
        found |= {f"{flat}.lora_{side}.weight": value.half().contiguous(), f"{flat}.alpha": tensor(rank).half()}
    return found


def rank_of(layers: dict[str, Tensor]) -> int:
    """The rank of a LoRA that :func:`read_lora` returned."""
    return next(value for name, value in layers.items() if ".lora_A." in name).shape[0]


def add_lora(unet: UNet2DConditionModel, rank: int) -> None:
    """Add a LoRA with random weights, and freeze all other parameters."""
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=TARGETS))


def fill_lora(unet: UNet2DConditionModel, layers: dict[str, Tensor], folder: Path) -> None:
    """Copy the weights of a LoRA into the LoRA of a UNet.

    Raises:
        SystemExit: naming ``folder``, if a tensor has no match in the UNet.
    """
    found = set_peft_model_state_dict(unet, layers)
    if found.unexpected_keys:
        raise SystemExit(f"{folder} does not fit: {found.unexpected_keys[:3]}")


def save_lora(unet: UNet2DConditionModel, folder: Path) -> None:
    """Save the LoRA of a UNet in float16."""
    # PEFT's own key names: diffusers' converter renames only the attention's, and its loader drops those.
    layers = {name: value.half() for name, value in get_peft_model_state_dict(unet).items()}
    StableDiffusionXLPipeline.save_lora_weights(folder, layers)
