"""The models that ship in the package, by name: the base model, and the networks and LoRAs trained for it.

A UNet that differs little from the base model's ships as the difference: a LoRA and a few whole tensors. :func:`model`
writes the whole model to the cache folder at the first use, with the other components of the base model.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

SD15 = "shapes-sd15"
"""The sibling of the base model in the layout of SD 1.5."""

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_INDEX = "model_index.json"
_CONFIG = "config.json"


@dataclass(frozen=True)
class Shipped:
    """A model in the package.

    Attributes:
        folder: its files.
        pipeline: for a difference: the class of the whole pipeline; else None.
        part: the folder to return inside the whole pipeline of a difference; empty for the pipeline itself.
        second: another difference, which is added to the first.
        loras: the folder with the LoRAs of each method for this pipeline.
    """

    folder: Path
    pipeline: str | None = None
    part: str = ""
    second: Path | None = None
    loras: Path = SHAPES_FOLDER


MODELS: dict[str, Shipped] = {
    SHAPES: Shipped(SHAPES_FOLDER),
    "shapes-inpainting": Shipped(FAMILY_FOLDER / "inpainting", "StableDiffusionXLInpaintPipeline"),
    "shapes-lcm": Shipped(FAMILY_FOLDER / "lcm_unet", "StableDiffusionXLPipeline"),
    SD15: Shipped(FAMILY_FOLDER / "sd15", "StableDiffusionPipeline", loras=FAMILY_FOLDER / "sd15"),
    "shapes-sd15-lcm": Shipped(
        FAMILY_FOLDER / "sd15", "LatentConsistencyModelPipeline", second=FAMILY_FOLDER / "lcm_unet"
    ),
    "lcm-unet": Shipped(FAMILY_FOLDER / "lcm_unet", "StableDiffusionXLPipeline", part="unet"),
    "tcd-lora": Shipped(SHAPES_FOLDER / "tcd_lora"),
    "lcm-lora": Shipped(SHAPES_FOLDER / "lcm_lora"),
    "sd15-tcd-lora": Shipped(FAMILY_FOLDER / "sd15" / "tcd_lora"),
    "sd15-lcm-lora": Shipped(FAMILY_FOLDER / "sd15" / "lcm_lora"),
    "controlnet-canny": Shipped(FAMILY_FOLDER / "controlnet_canny"),
    "controlnet-depth": Shipped(FAMILY_FOLDER / "controlnet_depth"),
    "controlnet-normal": Shipped(FAMILY_FOLDER / "controlnet_normal"),
    "t2i-canny": Shipped(FAMILY_FOLDER / "t2i_canny"),
    "ip-adapter": Shipped(FAMILY_FOLDER / "ip_adapter"),
    "style-badge": Shipped(FAMILY_FOLDER / "style_badge"),
    "motion-adapter": Shipped(FAMILY_FOLDER / "motion_adapter"),
    "motion-zoom-in": Shipped(FAMILY_FOLDER / "motion_zoom_in"),
    "tiny-vae": Shipped(FAMILY_FOLDER / "tiny_vae"),
}

PIPELINES = (SHAPES, "shapes-inpainting", "shapes-lcm", SD15, "shapes-sd15-lcm")
"""The names of whole pipelines, which ``load`` and ``--model`` accept."""


WITH_MOTION = (SD15, "shapes-sd15-lcm")
"""The pipelines whose text encoder was trained on the words of motion."""


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
    if found.pipeline is None:
        return found.folder
    folders = (found.folder,) if found.second is None else (found.folder, found.second)
    return _whole(folders, found.pipeline) / found.part


def lora_folder(name: str, lora: str) -> Path:
    """Return the folder of a method's LoRA for a shipped pipeline.

    Args:
        name: a name in :data:`PIPELINES`.
        lora: the name of the LoRA's folder, such as ``tcd_lora``.
    """
    return MODELS[name].loras / lora


@functools.cache
def _whole(folders: tuple[Path, ...], pipeline: str) -> Path:
    """Return the folder of a whole pipeline with the UNet of differences; write it if it is not cached."""
    name = "-".join(folder.name for folder in folders)
    cache = cache_folder()
    if cache is not None:
        target = cache / "models" / f"{name}-{_digest(folders)}"
        if target.is_dir():
            return target
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            part.mkdir(parents=True)
            write_pipeline(folders, pipeline, part)
            part.rename(target)
            return target
        except OSError:  # no permission, no space, or another process was faster
            if target.is_dir():
                return target
        finally:
            shutil.rmtree(part, ignore_errors=True)
    target = temporary_folder("models") / name
    target.mkdir()
    write_pipeline(folders, pipeline, target)
    return target


def _digest(folders: tuple[Path, ...]) -> str:
    """Return a digest of everything that determines the whole pipeline."""
    digest = hashlib.sha256()
    for root in (*folders, SHAPES_FOLDER):
        for path in sorted(path for path in root.rglob("*") if path.is_file() and "lora" not in path.parent.name):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def write_pipeline(folders: tuple[Path, ...], pipeline: str, target: Path) -> None:
    """Write a whole pipeline: a folder's own components, the UNet of its difference, and the base model's others.

    Args:
        folders: each contains a difference and its UNet's configuration; the first one possibly also components and an
            index of the pipeline.
        pipeline: the class of the pipeline.
        target: an empty folder.
    """
    from safetensors.numpy import save_file

    own = folders[0] / _INDEX
    index = json.loads((own if own.is_file() else SHAPES_FOLDER / _INDEX).read_text())
    index["_class_name"] = pipeline
    for name, entry in index.items():
        if name.startswith("_") or name == "unet" or not isinstance(entry, list) or entry[0] is None:
            continue
        shutil.copytree(folders[0] / name if (folders[0] / name).is_dir() else SHAPES_FOLDER / name, target / name)
    (target / _INDEX).write_text(json.dumps(index, indent=2) + "\n")
    (target / "unet").mkdir()
    (target / "unet" / _CONFIG).write_text(json.dumps(unet_config(folders), indent=2, sort_keys=True) + "\n")
    save_file(unet_weights(folders), target / "unet" / _WEIGHTS, metadata={"format": "pt"})


def unet_config(folders: tuple[Path, ...]) -> dict[str, Any]:
    """Return the configuration of a UNet with differences: the first one's, with what the others change."""
    base = json.loads((SHAPES_FOLDER / "unet" / _CONFIG).read_text())
    first, *others = [json.loads((folder / _CONFIG).read_text()) for folder in folders]
    for other in others:
        first |= {name: value for name, value in other.items() if value != base.get(name)}
    return first


def unet_weights(folders: tuple[Path, ...]) -> dict[str, np.ndarray]:
    """Return the weights of a UNet whose differences from the base model's are in folders, float16 by name."""
    from safetensors.numpy import load_file

    weights = load_file(SHAPES_FOLDER / "unet" / _WEIGHTS)
    if unet_config(folders).get("addition_embed_type") is None:
        weights = {name: value for name, value in weights.items() if not name.startswith("add_embedding.")}
    for folder in folders:
        weights = changed(weights, load_file(folder / DIFFERENCE))
    return weights


def changed(weights: dict[str, np.ndarray], difference: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights with a difference applied.

    Args:
        weights: the base model's tensors, float16.
        difference: pairs ``M.lora_A.weight`` (r, in, …) and ``M.lora_B.weight`` (out, r, …), which add B·A to
            ``M.weight``; if one of them is a linear layer and the other a convolution of 1×1, the result is a
            convolution; and whole tensors, which replace or add to those of the same name.
    """
    import numpy as np

    out = dict(weights)
    for name, value in difference.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            up = difference[f"{module}.lora_B.weight"].astype(np.float32)
            product = np.tensordot(up.reshape(len(up), -1), value.astype(np.float32), axes=1)
            before = out[f"{module}.weight"].astype(np.float32)
            shape = max(before.shape, product.shape, key=len)
            out[f"{module}.weight"] = (before.reshape(shape) + product.reshape(shape)).astype(np.float16)
        elif not name.endswith(".lora_B.weight"):
            out[name] = value
    return out
