"""The sibling of the shapes model in SD 1.5's layout: one text encoder, and a UNet without additional conditions."""

from __future__ import annotations

from collections.abc import Mapping

import diffusers
import torch
from diffusers import UNet2DConditionModel
from family import TEXT_WIDTH
from lora import DOWN, UP
from lowrank import product
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

WIDTH = 2 * TEXT_WIDTH
"""The width of the text encoder: that of SDXL's two together, so that the UNet reads equal prompt embeddings."""

ADDITION = "add_embedding."

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
"""The index of the sibling's pipeline."""


def new_text_encoder(first: CLIPTextModel, second: CLIPTextModelWithProjection) -> CLIPTextModel:
    """One text encoder that starts with the weights of two.

    Each layer computes both encoders side by side. Only the layer norms differ, because they span both. SDXL's pipeline
    reads the second-to-last layers, and SD 1.5's the last one: the last layer starts as an identity.
    """
    config = CLIPTextConfig(
        **{
            **first.config.to_diff_dict(),
            "hidden_size": WIDTH,
            "intermediate_size": 2 * first.config.intermediate_size,
            "num_attention_heads": 2 * first.config.num_attention_heads,
            "projection_dim": WIDTH,
        }
    )
    encoder = CLIPTextModel(config)
    one, two = first.state_dict(), second.state_dict()
    weights = encoder.state_dict()
    for name, value in weights.items():
        if name.endswith("embedding.weight"):
            value.copy_(torch.cat([one[name], two[name]], 1))
        elif value.dim() == 1:
            value.copy_(torch.cat([one[name], two[name]]))
        elif value.dim() == 2 and not name.endswith("position_ids"):
            value.copy_(torch.block_diag(one[name], two[name]))
    last = f"text_model.encoder.layers.{config.num_hidden_layers - 1}"
    for name in ("self_attn.out_proj", "mlp.fc2"):
        for kind in ("weight", "bias"):
            weights[f"{last}.{name}.{kind}"].zero_()
    for kind, value in (("weight", 1.0), ("bias", 0.0)):
        weights[f"text_model.final_layer_norm.{kind}"].fill_(value)
    encoder.load_state_dict(weights)
    return encoder


def new_unet(unet: UNet2DConditionModel, addition: torch.Tensor) -> UNet2DConditionModel:
    """The shipped UNet in SD 1.5's layout: its projections are convolutions, and it reads no additional conditions.

    Args:
        unet: the shipped UNet.
        addition: the mean of what its additional conditions add to the time embedding, (256,).
    """
    sibling = UNet2DConditionModel.from_config(
        {
            **unet.config,
            "use_linear_projection": False,
            "addition_embed_type": None,
            "addition_time_embed_dim": None,
            "projection_class_embeddings_input_dim": None,
        }
    )
    shapes = {name: value.shape for name, value in sibling.state_dict().items()}
    weights = {n: v.clone().view(shapes[n]) for n, v in unet.state_dict().items() if not n.startswith(ADDITION)}
    weights["time_embedding.linear_2.bias"] += addition
    sibling.load_state_dict(weights)
    return sibling


def lora_start(layers: Mapping[str, torch.Tensor], unet: UNet2DConditionModel, rank: int) -> dict[str, torch.Tensor]:
    """The best approximation of a LoRA of the shipped UNet that has a lower rank and the sibling's shapes.

    Args:
        layers: the LoRA in PEFT's form.
        unet: the sibling's UNet.
        rank: the lower rank.
    """
    weights, found = unet.state_dict(), {}
    for name, down in layers.items():
        if not name.endswith(DOWN):
            continue
        module = name.removesuffix(DOWN)
        shape = weights[f"{module}.weight"].shape
        u, s, v = torch.linalg.svd(product(down, layers[module + UP]).flatten(1), full_matrices=False)
        root = s[:rank].sqrt()
        found[module + DOWN] = (root[:, None] * v[:rank]).view(rank, *shape[1:])
        found[module + UP] = (u[:, :rank] * root).view(shape[0], rank, *([1] * (len(shape) - 2)))
    return found
