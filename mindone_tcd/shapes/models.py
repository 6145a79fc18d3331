"""The models that ship in the package, by name: the base model, and the networks and LoRAs trained for it.

A UNet that differs little from the base model's ships as the difference: a LoRA and a few whole tensors. :func:`model`
writes the whole model to the cache folder at the first use.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..storage.cache import cache_folder
from ..storage.own_files import temporary_folder
from .folder import SHAPES, SHAPES_FOLDER

if TYPE_CHECKING:
    import numpy as np

FAMILY_FOLDER = Path(__file__).resolve().parent / "family"
"""The networks and LoRAs, each in the file layout of the published one that it stands for."""

DIFFERENCE = "difference.safetensors"
"""The file of a difference. ``M.lora_A.weight`` and ``M.lora_B.weight`` add B·A to ``M.weight``; others replace."""

_WEIGHTS = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Shipped:
    """A model in the package.

    Attributes:
        folder: its files.
        pipeline: for a difference: the class of the whole pipeline; else None.
        part: the folder to return inside the whole pipeline of a difference; empty for the pipeline itself.
    """

    folder: Path
    pipeline: str | None = None
    part: str = ""


MODELS: dict[str, Shipped] = {
    SHAPES: Shipped(SHAPES_FOLDER),
    "shapes-inpainting": Shipped(FAMILY_FOLDER / "inpainting", "StableDiffusionXLInpaintPipeline"),
    "shapes-lcm": Shipped(FAMILY_FOLDER / "lcm_unet", "StableDiffusionXLPipeline"),
    "lcm-unet": Shipped(FAMILY_FOLDER / "lcm_unet", "StableDiffusionXLPipeline", part="unet"),
    "tcd-lora": Shipped(SHAPES_FOLDER / "tcd_lora"),
    "lcm-lora": Shipped(SHAPES_FOLDER / "lcm_lora"),
    "controlnet-canny": Shipped(FAMILY_FOLDER / "controlnet_canny"),
    "controlnet-depth": Shipped(FAMILY_FOLDER / "controlnet_depth"),
    "t2i-canny": Shipped(FAMILY_FOLDER / "t2i_canny"),
    "ip-adapter": Shipped(FAMILY_FOLDER / "ip_adapter"),
    "style-badge": Shipped(FAMILY_FOLDER / "style_badge"),
    "tiny-vae": Shipped(FAMILY_FOLDER / "tiny_vae"),
}

PIPELINES = (SHAPES, "shapes-inpainting", "shapes-lcm")
"""The names of whole pipelines, which ``load`` and ``--model`` accept."""


def model(name: str) -> Path:
    """Return the folder of a shipped model, which ``from_pretrained`` and the loaders of LoRAs and adapters read.

    Args:
        name: a name in :data:`MODELS`, such as ``controlnet-canny``.

    Raises:
        UsageError: if the name is unknown.

    Example:
        >>> import mindone_tcd
        >>> from mindone_tcd import ControlNetModel, shapes
        >>> network = ControlNetModel.from_pretrained(shapes.model("controlnet-canny"))
    """
    if not isinstance(name, str) or name not in MODELS:
        raise UsageError(f"no shipped model {name!r}; choose one of: {', '.join(MODELS)}")
    found = MODELS[name]
    return found.folder if found.pipeline is None else _whole(found.folder, found.pipeline) / found.part


@functools.cache
def _whole(folder: Path, pipeline: str) -> Path:
    """Return the folder of a whole pipeline with the UNet of a difference; write it if it is not cached."""
    cache = cache_folder()
    if cache is not None:
        target = cache / "models" / f"{folder.name}-{_digest(folder)}"
        if target.is_dir():
            return target
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            part.mkdir(parents=True)
            _write(folder, pipeline, part)
            part.rename(target)
            return target
        except OSError:  # no permission, no space, or another process was faster
            if target.is_dir():
                return target
        finally:
            shutil.rmtree(part, ignore_errors=True)
    target = temporary_folder("models") / folder.name
    target.mkdir()
    _write(folder, pipeline, target)
    return target


def _digest(folder: Path) -> str:
    """Return a digest of everything that determines the whole pipeline."""
    digest = hashlib.sha256()
    for path in sorted([*folder.iterdir(), *(p for p in SHAPES_FOLDER.rglob("*") if "lora" not in p.parent.name)]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _write(folder: Path, pipeline: str, target: Path) -> None:
    from safetensors.numpy import load_file, save_file

    index = json.loads((SHAPES_FOLDER / "model_index.json").read_text())
    index["_class_name"] = pipeline
    for name in index:
        if name != "unet" and (SHAPES_FOLDER / name).is_dir():
            shutil.copytree(SHAPES_FOLDER / name, target / name)
    (target / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (target / "unet").mkdir()
    shutil.copyfile(folder / "config.json", target / "unet" / "config.json")
    weights = changed(load_file(SHAPES_FOLDER / "unet" / _WEIGHTS), load_file(folder / DIFFERENCE))
    save_file(weights, target / "unet" / _WEIGHTS, metadata={"format": "pt"})


def changed(weights: dict[str, np.ndarray], difference: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights with a difference applied.

    Args:
        weights: the base model's tensors, float16.
        difference: pairs ``M.lora_A.weight`` (r, in, …) and ``M.lora_B.weight`` (out, r, …), which add B·A to
            ``M.weight``; and whole tensors, which replace or add to those of the same name.
    """
    import numpy as np

    out = dict(weights)
    for name, value in difference.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            up = difference[f"{module}.lora_B.weight"].astype(np.float32)
            product = np.tensordot(up.reshape(len(up), -1), value.astype(np.float32), axes=1)
            out[f"{module}.weight"] = (out[f"{module}.weight"].astype(np.float32) + product).astype(np.float16)
        elif not name.endswith(".lora_B.weight"):
            out[name] = value
    return out
