"""IP-Adapter files in the exact layouts of published files, and the calls after loading."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tiny
from model_modules import UNetConfig, unet_shapes

Tensors = dict[str, np.ndarray]
PROJECTION, HIDDEN, INNER = 32, 48, 64
FACE = 20
ENCODER = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "model_type": "clip_vision_model",
    "hidden_size": HIDDEN,
    "intermediate_size": 37,
    "projection_dim": PROJECTION,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 16,
    "hidden_act": "gelu",
}


def _linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def encoder_shapes() -> dict[str, tuple[int, ...]]:
    top = "vision_model"
    shapes = {
        f"{top}.embeddings.class_embedding": (HIDDEN,),
        f"{top}.embeddings.patch_embedding.weight": (HIDDEN, 3, 16, 16),
        f"{top}.embeddings.position_embedding.weight": (5, HIDDEN),
        "visual_projection.weight": (PROJECTION, HIDDEN),
    }
    shapes |= _norm(f"{top}.pre_layrnorm", HIDDEN) | _norm(f"{top}.post_layernorm", HIDDEN)
    for k in range(2):
        layer = f"{top}.encoder.layers.{k}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes |= _linear(f"{layer}.self_attn.{name}", HIDDEN, HIDDEN)
        shapes |= _linear(f"{layer}.mlp.fc1", 37, HIDDEN) | _linear(f"{layer}.mlp.fc2", HIDDEN, 37)
        shapes |= _norm(f"{layer}.layer_norm1", HIDDEN) | _norm(f"{layer}.layer_norm2", HIDDEN)
    return shapes


def _attention(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    """to_k_ip and to_v_ip of every cross-attention in the UNet's order: down, up, middle; numbered 1, 3, 5, …"""
    shapes = unet_shapes(config)
    order = ("down_blocks", "up_blocks", "mid_block")
    keys = [path for top in order for path in shapes if path.startswith(top) and path.endswith("attn2.to_k")]
    keys = [path for path in keys if "motion_modules" not in path]
    found = {}
    for k, path in enumerate(keys):
        found |= {f"ip_adapter.{2 * k + 1}.to_{x}_ip.weight": (shapes[path][0], config.cross) for x in "kv"}
    return found


def plain(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    """Like ip-adapter_sdxl.safetensors."""
    image = _linear("image_proj.proj", 4 * config.cross, PROJECTION) | _norm("image_proj.norm", config.cross)
    return image | _attention(config)


def _resampler(prefix: str, hidden: int, into: int, cross: int) -> dict[str, tuple[int, ...]]:
    shapes = _linear(f"{prefix}proj_in", hidden, into) | _linear(f"{prefix}proj_out", cross, hidden)
    shapes |= _norm(f"{prefix}norm_out", cross)
    for k in range(4):
        layer = f"{prefix}layers.{k}"
        shapes |= _norm(f"{layer}.0.norm1", hidden) | _norm(f"{layer}.0.norm2", hidden) | _norm(f"{layer}.1.0", hidden)
        shapes |= {f"{layer}.0.to_q.weight": (INNER, hidden), f"{layer}.0.to_kv.weight": (2 * INNER, hidden)}
        shapes |= {f"{layer}.0.to_out.weight": (hidden, INNER)}
        shapes |= {f"{layer}.1.1.weight": (4 * hidden, hidden), f"{layer}.1.3.weight": (hidden, 4 * hidden)}
    return shapes


def plus(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    """Like ip-adapter-plus_sdxl_vit-h.safetensors."""
    shapes = _resampler("image_proj.", 56, HIDDEN, config.cross) | {"image_proj.latents": (1, 6, 56)}
    return shapes | _attention(config)


def full_face(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    """Like ip-adapter-full-face_sd15.safetensors."""
    shapes = _linear("image_proj.proj.0", HIDDEN, HIDDEN) | _linear("image_proj.proj.2", config.cross, HIDDEN)
    return shapes | _norm("image_proj.proj.3", config.cross) | _attention(config)


def face_id(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    """Like ip-adapter-faceid_sdxl: with a LoRA for every attention, numbered 0, 1, 2, …"""
    shapes = _linear("image_proj.proj.0", 2 * FACE, FACE) | _linear("image_proj.proj.2", 4 * config.cross, 2 * FACE)
    shapes |= _norm("image_proj.norm", config.cross) | _attention(config)
    modules = unet_shapes(config)
    order = [p for top in ("down_blocks", "up_blocks", "mid_block") for p in modules if p.startswith(top)]
    attentions = [path.removesuffix(".to_q") for path in order if path.endswith(".to_q")]
    for k, path in enumerate(attentions):
        for name, module in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("out", "to_out.0")):
            out, into = modules[f"{path}.{module}"]
            shapes |= {f"ip_adapter.{k}.to_{name}_lora.down.weight": (4, into)}
            shapes |= {f"ip_adapter.{k}.to_{name}_lora.up.weight": (out, 4)}
    return shapes


def draw(shapes: dict[str, tuple[int, ...]], seed: str) -> Tensors:
    return {name: tiny.weights(f"{seed}.{name}", shape) for name, shape in shapes.items()}


@dataclass(frozen=True)
class Case:
    """IP-Adapters that are loaded together, their scales, and the shapes of their image features."""

    config: UNetConfig
    files: Callable[[UNetConfig], list[dict[str, tuple[int, ...]]]]
    features: list[tuple[int, ...]]
    scale: Any = 0.6
    encoder: bool = True


CASES: dict[str, Case] = {
    "SDXL IP-Adapter": Case(tiny.XL, lambda c: [plain(c)], [(1, 1, PROJECTION)]),
    "SDXL IP-Adapter, style blocks only": Case(
        tiny.XL, lambda c: [plain(c)], [(1, 1, PROJECTION)], {"up": {"block_0": [0.0, 1.0, 0.0]}}
    ),
    "SDXL IP-Adapter Plus": Case(tiny.XL, lambda c: [plus(c)], [(1, 1, 5, HIDDEN)]),
    "SDXL two at once": Case(
        tiny.XL, lambda c: [plain(c), plus(c)], [(1, 1, PROJECTION), (1, 1, 5, HIDDEN)], [0.7, 0.3]
    ),
    "SD 1.5 IP-Adapter Full Face": Case(tiny.SD, lambda c: [full_face(c)], [(1, 1, 257, HIDDEN)]),
    "AnimateDiff IP-Adapter": Case(tiny.MOTION, lambda c: [plain(c)], [(1, 1, PROJECTION)]),
    "SDXL IP-Adapter Face ID": Case(tiny.XL, lambda c: [face_id(c)], [(1, 1, FACE)], encoder=False),
}


def write(case: Case, folder: Path) -> list[str]:
    """Write the repository of an IP-Adapter: files and image encoder in sdxl_models/. Returns the file names."""
    inside = folder / "sdxl_models"
    (inside / "image_encoder").mkdir(parents=True)
    names = []
    for k, shapes in enumerate(case.files(case.config)):
        names.append(f"ip-adapter_{k}.safetensors")
        tiny.save(draw(shapes, f"adapter {k}"), inside / names[-1])
    (inside / "image_encoder" / "config.json").write_text(json.dumps(ENCODER))
    tiny.save(draw(encoder_shapes(), "encoder"), inside / "image_encoder" / "model.safetensors", {"format": "pt"})
    return names


def load(pipe: Any, case: Case, folder: Path) -> None:
    names = write(case, folder)
    weight_name = names if len(names) > 1 else names[0]
    encoder = {} if case.encoder else {"image_encoder_folder": None}
    pipe.load_ip_adapter(str(folder), subfolder="sdxl_models", weight_name=weight_name, **encoder)
    pipe.set_ip_adapter_scale(case.scale)


def features(case: Case) -> list[np.ndarray]:
    return [np.random.default_rng([5, k]).standard_normal(s).astype(np.float32) for k, s in enumerate(case.features)]


IMAGE = np.random.default_rng(8).standard_normal((1, 3, 32, 32)).astype(np.float32)


def outputs(pipe: Any, case: Case, tensor: Callable[[np.ndarray], Any]) -> dict[str, np.ndarray]:
    """The output of the UNet for these image features, and of the image encoder for the fixed image."""
    call = {name: tensor(value) for name, value in tiny.inputs(case.config).items()}
    added = {name: call.pop(name) for name in ("text_embeds", "time_ids") if name in call}
    added["image_embeds"] = [tensor(value) for value in features(case)]
    out = {"unet": pipe.unet(**call, added_cond_kwargs=added, return_dict=False)[0]}
    if case.encoder:
        states = pipe.image_encoder(tensor(IMAGE), output_hidden_states=True, return_dict=True)
        out |= {"image embeddings": states.image_embeds, "image states": states.hidden_states[-2]}
    return out
