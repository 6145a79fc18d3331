"""Adapter files and the calls that follow loading, the same for mindone and for diffusers on torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import layouts as lay
import numpy as np
import tiny
from model_modules import UNetConfig, unet_shapes

REFERENCES = Path(__file__).with_name("references.npz")


@dataclass(frozen=True)
class File:
    tensors: lay.Tensors
    metadata: dict[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Files that are loaded one after the other as adapters "a", "b", …, and the calls after that."""

    config: UNetConfig
    files: Callable[[], list[File]]
    then: Callable[[Any], Any] = lambda pipe: None


def shapes(config: UNetConfig, text: bool = True) -> dict[str, dict[str, tuple[int, ...]]]:
    found = {"unet": unet_shapes(config)}
    if text:
        found |= {
            name: tiny.TEXTS[name]
            for name in (("text_encoder", "text_encoder_2") if config.added else ("text_encoder",))
        }
    return found


def motion_lora(seed: int = 0) -> lay.Lora:
    """Rank and modules like animatediff-motion-lora-zoom-in: the attentions of the motion modules, no alpha."""
    inside = {path: s for path, s in unet_shapes(tiny.MOTION).items() if "motion_modules" in path}
    return lay.draw({"unet": inside}, lay.ATTENTION, 16, None, seed)


def _lcm() -> list[File]:
    return [File(lay.kohya(lay.draw(shapes(tiny.XL, text=False), lay.DISTILLED, 64, 8.0)))]


def _lcm_half() -> list[File]:
    return [File(lay.kohya(lay.draw(shapes(tiny.XL, text=False), lay.DISTILLED, 64, 8.0, dtype=np.float16)))]


def _style() -> list[File]:
    return [File(lay.kohya_sgm(lay.draw(shapes(tiny.XL), (*lay.STYLE, *lay.TEXT), 8, 4.0, 1), tiny.XL))]


def _sgm_everything() -> list[File]:
    return [File(lay.kohya_sgm(lay.draw(shapes(tiny.XL, text=False), lay.DISTILLED, 4, 2.0, 1), tiny.XL))]


def _peft() -> list[File]:
    return [File(lay.peft(lay.draw(shapes(tiny.XL), (*lay.STYLE, *lay.TEXT), 8, None, 2)))]


def _peft_projection() -> list[File]:
    return [File(lay.peft(lay.draw(shapes(tiny.XL), (*lay.ATTENTION, *lay.TEXT, "text_projection"), 8, None, 2)))]


def _diffusers() -> list[File]:
    return [File(lay.diffusers(lay.draw(shapes(tiny.XL), (*lay.STYLE, *lay.TEXT), 8, None, 3)))]


def _processors() -> list[File]:
    return [File(lay.processors(lay.draw(shapes(tiny.XL), (*lay.ATTENTION, *lay.TEXT[:4]), 4, None, 4)))]


def _kohya_sd() -> list[File]:
    lora = lay.draw(shapes(tiny.SD), (*lay.DISTILLED, *lay.TEXT), 16, 8.0, 5)
    return [File(lay.kohya(lora, one_text_encoder=True))]


def configured_lora() -> lay.Lora:
    """A LoRA with the ranks and alphas of the patterns in :func:`configuration`."""
    chosen = shapes(tiny.XL, text=False)
    paths = [path for path in chosen["unet"] if path.endswith(lay.ATTENTION)]
    of = {path: path.endswith("to_v") for path in paths}
    order = list(of.values())
    return lay.draw(chosen, lay.ATTENTION, lambda k: 8 if order[k] else 4, lambda k: 5.0 if order[k] else 3.0, 6)


def configuration() -> dict[str, str]:
    options = {"r": 4, "lora_alpha": 3, "rank_pattern": {"to_v": 8}, "alpha_pattern": {"to_v": 5}}
    options["target_modules"] = ["to_q", "to_k", "to_v", "to_out.0"]
    return {"format": "pt", "lora_adapter_metadata": json.dumps({f"unet.{k}": v for k, v in options.items()})}


def _metadata() -> list[File]:
    return [File(lay.peft(configured_lora()), configuration())]


def _ranks() -> list[File]:
    return [File(lay.peft(lay.draw(shapes(tiny.XL, text=False), lay.STYLE, lambda k: (4, 8, 8)[k % 3], None, 7)))]


def _motion() -> list[File]:
    return [File(lay.processors(motion_lora()))]


def _motion_peft() -> list[File]:
    return [File(lay.peft(motion_lora(1)))]


CASES: dict[str, Case] = {
    "SDXL, kohya, rank 64, alpha 8": Case(tiny.XL, _lcm),
    "SDXL, kohya, rank 64, alpha 8, float16": Case(tiny.XL, _lcm_half),
    "SDXL, kohya, sgm block names and text encoders": Case(tiny.XL, _style),
    "SDXL, kohya, sgm block names, every kind of module": Case(tiny.XL, _sgm_everything),
    "SDXL, PEFT with text encoders": Case(tiny.XL, _peft),
    "SDXL, PEFT with the text projection": Case(tiny.XL, _peft_projection),
    "SDXL, diffusers with text encoders": Case(tiny.XL, _diffusers),
    "SDXL, attention processors with text encoders": Case(tiny.XL, _processors),
    "SD 1.5, kohya with text encoder": Case(tiny.SD, _kohya_sd),
    "SDXL, PEFT, alpha in the metadata": Case(tiny.XL, _metadata),
    "SDXL, PEFT, ranks that differ, no alpha": Case(tiny.XL, _ranks),
    "AnimateDiff, motion LoRA": Case(tiny.MOTION, _motion),
    "AnimateDiff, motion LoRA in PEFT keys": Case(tiny.MOTION, _motion_peft),
    "two adapters with weights": Case(
        tiny.XL, lambda: _style() + _peft(), lambda pipe: pipe.set_adapters(["a", "b"], [0.7, 0.4])
    ),
    "fused with a scale": Case(tiny.XL, _style, lambda pipe: pipe.fuse_lora(lora_scale=0.7)),
    "AnimateDiff, motion LoRA with a weight": Case(
        tiny.MOTION, _motion, lambda pipe: pipe.set_adapters(["a"], adapter_weights=[0.6])
    ),
}


def load(pipe: Any, files: list[File], folder: Path) -> None:
    """Write the files and load each into the pipeline."""
    for name, file in zip("abc", files, strict=False):
        tiny.save(file.tensors, folder / f"{name}.safetensors", file.metadata)
        pipe.load_lora_weights(str(folder), weight_name=f"{name}.safetensors", adapter_name=name)
