"""The LoRA of a student: added to its UNet, loaded from a folder, and saved in one."""

from __future__ import annotations

from pathlib import Path

from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor

FILE = "pytorch_lora_weights.safetensors"
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
           "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"]  # fmt: skip


def read_lora(folder: Path) -> dict[str, Tensor]:
    """The float32 tensors of a LoRA, under the names of the UNet's modules."""
    return {name.removeprefix("unet."): value.float() for name, value in load_file(folder / FILE).items()}


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
