"""LoRA files in the exact layouts of published files, for any model. A seed determines the values.

A LoRA is first generated as modules (component and path, two matrices, alpha). Each layout then writes it under its own
keys.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from model_modules import UNetConfig, sgm_names

Tensors = dict[str, np.ndarray]
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2")
STYLE = (*ATTENTION, *FEED_FORWARD, "proj_in", "proj_out")
"""The modules that kohya trains by default; 722 modules of SDXL's UNet."""
DISTILLED = (*STYLE, "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv")
"""The modules that the LCM-LoRAs change: 788 modules of SDXL's UNet, 278 of SD 1.5's."""
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
TOP = ("conv_in", "conv_out", "linear_1", "linear_2")


@dataclass(frozen=True)
class Matrices:
    down: np.ndarray
    up: np.ndarray
    alpha: float | None

    def delta(self, scale: float = 1.0) -> np.ndarray:
        """The change of the weight."""
        rank = self.down.shape[0]
        alpha = rank if self.alpha is None else self.alpha
        product = self.up.reshape(-1, rank).astype(np.float64) @ self.down.reshape(rank, -1).astype(np.float64)
        return (scale * alpha / rank * product).reshape(self.up.shape[0], *self.down.shape[1:])


Lora = dict[tuple[str, str], Matrices]


def draw(
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]],
    targets: Iterable[str],
    rank: int | Callable[[int], int],
    alpha: float | Callable[[int], float | None] | None,
    seed: int = 0,
    size: float = 0.5,
    dtype: Any = np.float32,
) -> Lora:
    """A LoRA for the modules whose last names are among ``targets``; rank and alpha may depend on the module's number.

    ``size`` is about the standard deviation of the change, relative to that of the base weight.
    """
    lora: Lora = {}
    chosen = tuple(targets)
    for component, modules in shapes.items():
        for path, shape in modules.items():
            if not any(path == name or path.endswith(f".{name}") for name in chosen):
                continue
            k = len(lora)
            r = rank(k) if callable(rank) else rank
            a = alpha(k) if callable(alpha) else alpha
            rng = np.random.default_rng([seed, zlib.crc32(f"{component}.{path}".encode())])
            fan = int(np.prod(shape[1:]))
            down = rng.standard_normal((r, *shape[1:])) / np.sqrt(fan)
            up = rng.standard_normal((shape[0], r, *(1,) * (len(shape) - 2))) * size / np.sqrt(r)
            if a:
                up *= r / a
            lora[component, path] = Matrices(down.astype(dtype), up.astype(dtype), a)
    return lora


def kohya(lora: Lora, one_text_encoder: bool = False) -> Tensors:
    """Like lcm-lora-sdxl: diffusers' block names with underscores, alpha 0-d."""
    return _kohya(lora, {}, one_text_encoder)


def kohya_sgm(lora: Lora, config: UNetConfig) -> Tensors:
    """Like SDXL style LoRAs: sgm block names."""
    return _kohya(lora, {path: sgm for sgm, path in sgm_names(config).items()}, False)


def _kohya(lora: Lora, renamed: Mapping[str, str], one_text_encoder: bool) -> Tensors:
    first = "lora_te" if one_text_encoder else "lora_te1"
    prefixes = {"unet": "lora_unet", "text_encoder": first, "text_encoder_2": "lora_te2"}
    file: Tensors = {}
    for (component, path), m in lora.items():
        name = f"{prefixes[component]}_{renamed.get(path, path) if component == 'unet' else path}".replace(".", "_")
        file |= {f"{name}.lora_down.weight": m.down, f"{name}.lora_up.weight": m.up}
        if m.alpha is not None:
            file[f"{name}.alpha"] = np.array(m.alpha, m.down.dtype)
    return file


def peft(lora: Lora) -> Tensors:
    """The layout of current diffusers."""
    file: Tensors = {}
    for (component, path), m in lora.items():
        file |= {f"{component}.{path}.lora_A.weight": m.down, f"{component}.{path}.lora_B.weight": m.up}
    return file


def diffusers(lora: Lora) -> Tensors:
    """The layout of diffusers in 2023: ``.lora.down`` in the UNet, ``.lora_linear_layer.down`` in the text encoders."""
    file: Tensors = {}
    for (component, path), m in lora.items():
        middle = "lora" if component == "unet" else "lora_linear_layer"
        file |= {f"{component}.{path}.{middle}.{part}.weight": getattr(m, part) for part in ("down", "up")}
    return file


def processors(lora: Lora) -> Tensors:
    """The layout of the first LoRAs and the motion LoRAs: ``attn1.processor.to_q_lora.down``; attention only."""
    old = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out", "to_out.0": "to_out"}
    file: Tensors = {}
    for (component, path), m in lora.items():
        name = next(name for name in (*ATTENTION, *TEXT) if path.endswith(f".{name}"))
        module = path.removesuffix(f".{name}") + (".processor" if component == "unet" else "")
        stem = f"{component}.{module}.{old.get(name, name)}_lora"
        file |= {f"{stem}.{part}.weight": getattr(m, part) for part in ("down", "up")}
    return file


def mixed(lora: Lora) -> Tensors:
    """Attentions as ``.lora.down``, everything else as ``lora_A``, as some converters write it."""
    inside = {key: m for key, m in lora.items() if ".attn" in key[1]}
    return diffusers(inside) | peft({key: m for key, m in lora.items() if key not in inside})
