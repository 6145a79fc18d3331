"""Tiny models of the real structure, with the same weights in mindone and in diffusers: drawn by parameter name."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from model_modules import UNetConfig, text_shapes

XL = UNetConfig((32, 64), (0, 2), 2, 64, True, added=80)
SD = UNetConfig((32, 64), (1, 0), 1, 32, False)
MOTION = UNetConfig((32, 64), (1, 0), 1, 32, False, motion=True)

TEXT_WIDTH, TEXT_LAYERS, TEXT_INNER = 32, 3, 37
TEXTS = {
    "text_encoder": text_shapes(TEXT_WIDTH, TEXT_LAYERS, TEXT_INNER),
    "text_encoder_2": text_shapes(TEXT_WIDTH, TEXT_LAYERS, TEXT_INNER, 32),
}

UNET_OPTIONS: dict[UNetConfig, dict[str, Any]] = {
    XL: {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": (2, 4),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "transformer_layers_per_block": (1, 2),
        "projection_class_embeddings_input_dim": 80,
        "cross_attention_dim": 64,
    },
    SD: {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 2,
        "cross_attention_dim": 32,
    },
}
UNET_OPTIONS[MOTION] = UNET_OPTIONS[SD]
ADAPTER_OPTIONS = {
    "block_out_channels": (32, 64),
    "motion_layers_per_block": 2,
    "motion_num_attention_heads": 2,
    "motion_max_seq_length": 8,
}


def text_options(second: bool) -> dict[str, Any]:
    return {
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": TEXT_INNER,
        "num_attention_heads": 4,
        "num_hidden_layers": TEXT_LAYERS,
        "vocab_size": 100,
        "hidden_act": "gelu" if second else "quick_gelu",
        "projection_dim": 32,
    }


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter's values, from its name: normalisations near one, the rest with the deviation of their fan-in."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    values = rng.standard_normal(shape)
    if name.endswith("bias"):
        values = 0.1 * values
    elif "norm" in name and len(shape) == 1:
        values = 1 + 0.1 * values
    elif "embedding" in name and "linear" not in name:
        values = 0.5 * values
    elif len(shape) > 1:
        values = values / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


def inputs(config: UNetConfig, frames: int = 3) -> dict[str, np.ndarray]:
    """A UNet call: sample, timestep, text states, and what SDXL adds."""
    rng = np.random.default_rng(11)
    batch = frames if config.motion else 1
    shape = (1, 4, frames, 8, 8) if config.motion else (1, 4, 8, 8)
    call = {
        "sample": rng.standard_normal(shape).astype(np.float32),
        "timestep": np.array(499, np.int64),
        "encoder_hidden_states": rng.standard_normal((batch, 5, config.cross)).astype(np.float32),
    }
    if config.added:
        call["text_embeds"] = rng.standard_normal((1, 32)).astype(np.float32)
        call["time_ids"] = np.array([[64, 64, 0, 0, 64, 64]], np.float32)
    return call


SCHEDULER_OPTIONS = {"steps_offset": 1, "clip_sample": False}
_MINDSPORE_NAMES = {".gamma": ".weight", ".beta": ".bias", ".embedding_table": ".weight"}
TOKENS = np.array([[0, 7, 31, 64, 9, 2, 1, 1]])

# ----- mindone -------------------------------------------------------------------------------------------------------


def mindone_pipeline(config: UNetConfig) -> Any:
    """A pipeline without VAE and tokenizers, which loading adapters does not touch."""
    from mindone import transformers as mt
    from transformers import CLIPTextConfig

    from mindone_tcd.exports import get

    unet = fill_mindone(get("UNet2DConditionModel")(**UNET_OPTIONS[config]), "unet")
    text = {"text_encoder": fill_mindone(mt.CLIPTextModel(CLIPTextConfig(**text_options(False))), "text_encoder")}
    scheduler = get("DDIMScheduler")(**SCHEDULER_OPTIONS)
    if config.added:
        second = mt.CLIPTextModelWithProjection(CLIPTextConfig(**text_options(True)))
        text["text_encoder_2"] = fill_mindone(second, "text_encoder_2")
        return get("StableDiffusionXLPipeline")(
            vae=None, tokenizer=None, tokenizer_2=None, unet=unet, scheduler=scheduler, **text
        )
    if config.motion:
        adapter = fill_mindone(get("MotionAdapter")(**ADAPTER_OPTIONS), "motion_adapter")
        return get("AnimateDiffPipeline")(
            vae=None, tokenizer=None, unet=unet, motion_adapter=adapter, scheduler=scheduler, **text
        )
    return get("StableDiffusionPipeline")(
        vae=None,
        tokenizer=None,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **text,
    )


def fill_mindone(model: Any, owner: str) -> Any:
    import mindspore as ms

    for name, parameter in model.parameters_and_names():
        if parameter.dtype == ms.float32:
            for old, new in _MINDSPORE_NAMES.items():
                name = name.replace(old, new)
            parameter.set_data(ms.Tensor(weights(f"{owner}.{name}", tuple(parameter.shape))))
    model.set_train(False)
    return model


def mindone_outputs(pipe: Any, config: UNetConfig) -> dict[str, np.ndarray]:
    """What the UNet and the text encoders give for the fixed inputs."""
    import mindspore as ms

    call = {name: ms.Tensor(value) for name, value in inputs(config).items()}
    if config.added:
        call["added_cond_kwargs"] = {name: call.pop(name) for name in ("text_embeds", "time_ids")}
    out = {"unet": pipe.unet(**call, return_dict=False)[0].asnumpy()}
    for name in ("text_encoder", "text_encoder_2"):
        if (encoder := getattr(pipe, name, None)) is not None:
            states = encoder(ms.Tensor(TOKENS), output_hidden_states=True, return_dict=True)
            out[name] = states.hidden_states[-1].asnumpy()
            if name == "text_encoder_2":
                out["text_projection"] = states.text_embeds.asnumpy()
    return out


# ----- diffusers on torch --------------------------------------------------------------------------------------------


def torch_pipeline(config: UNetConfig) -> Any:
    import diffusers as d
    import transformers as t

    unet = fill_torch(d.UNet2DConditionModel(**UNET_OPTIONS[config]), "unet")
    text = {"text_encoder": fill_torch(t.CLIPTextModel(t.CLIPTextConfig(**text_options(False))), "text_encoder")}
    scheduler = d.DDIMScheduler(**SCHEDULER_OPTIONS)
    if config.added:
        second = t.CLIPTextModelWithProjection(t.CLIPTextConfig(**text_options(True)))
        text["text_encoder_2"] = fill_torch(second, "text_encoder_2")
        return d.StableDiffusionXLPipeline(
            vae=None, tokenizer=None, tokenizer_2=None, unet=unet, scheduler=scheduler, **text
        )
    if config.motion:
        adapter = fill_torch(d.MotionAdapter(**ADAPTER_OPTIONS), "motion_adapter")
        return d.AnimateDiffPipeline(
            vae=None, tokenizer=None, unet=unet, motion_adapter=adapter, scheduler=scheduler, **text
        )
    return d.StableDiffusionPipeline(
        vae=None,
        tokenizer=None,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **text,
    )


def fill_torch(model: Any, owner: str) -> Any:
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(weights(f"{owner}.{name}", tuple(parameter.shape))))
    return model.eval()


def torch_outputs(pipe: Any, config: UNetConfig) -> dict[str, np.ndarray]:
    import torch

    call = {name: torch.from_numpy(value) for name, value in inputs(config).items()}
    if config.added:
        call["added_cond_kwargs"] = {name: call.pop(name) for name in ("text_embeds", "time_ids")}
    with torch.no_grad():
        out = {"unet": pipe.unet(**call, return_dict=False)[0].numpy()}
        for name in ("text_encoder", "text_encoder_2"):
            if (encoder := getattr(pipe, name, None)) is not None:
                states = encoder(torch.from_numpy(TOKENS), output_hidden_states=True)
                out[name] = states.hidden_states[-1].numpy()
                if name == "text_encoder_2":
                    out["text_projection"] = states.text_embeds.numpy()
    return out


def save(tensors: dict[str, np.ndarray], path: Path, metadata: dict[str, str] | None = None) -> Path:
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path, metadata=metadata)
    return path
