"""Write the folder of a tiny random model: the layout that diffusers wrote, with values from NumPy's generator."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ..errors import UsageError
from ..shapes.folder import SHAPES_FOLDER
from ..storage.own_files import temporary_folder
from .values import values

LAYOUTS = Path(__file__).parent / "layouts"
"""One file per model: its JSON files, and its weights' keys, dtypes and shapes (`tools/reference/tiny_models.py`)."""

NAMES = {
    "sdxl": "Stable Diffusion XL base, a whole pipeline",
    "lcm-sdxl": "an SDXL UNet with guidance embedding (time_cond_proj_dim), the UNet alone, as in lcm-sdxl",
    "sdxl-inpainting": "SDXL inpainting, a whole pipeline, its UNet with 9 input channels",
    "sd15": "Stable Diffusion 1.5, a whole pipeline saved without its safety checker",
    "sd15-inpainting": "Stable Diffusion 1.5 inpainting, a whole pipeline, its UNet with 9 input channels",
    "sd15-safety-checker": "Stable Diffusion 1.5, a whole pipeline with its safety checker",
    "sd21": "Stable Diffusion 2.1, a whole pipeline, v-prediction",
    "lcm-sd15": "a whole LatentConsistencyModelPipeline, as LCM_Dreamshaper_v7",
    "controlnet-sd15": "a ControlNet for sd15",
    "controlnet-sdxl": "a ControlNet for sdxl",
    "t2i-adapter-sdxl": "a T2I-Adapter (full_adapter_xl) for sdxl",
    "ip-adapter": "IP-Adapters for sdxl (plain and plus) and sd15 with their image encoders, as h94/IP-Adapter",
    "motion-adapter": "AnimateDiff's motion adapter for sd15",
    "motion-lora": "a motion LoRA for motion-adapter, rank 4, as animatediff-motion-lora-zoom-in",
    "dpt": "DPT depth estimation with its image processor",
    "dpt-hybrid": "DPT depth estimation whose patches come from a BiT backbone, as dpt-hybrid-midas",
    "lora-sdxl": "a LoRA for sdxl's UNet, rank 4",
    "lora-sd15": "a LoRA for sd15's UNet, rank 4",
    "lora-sd21": "a LoRA for sd21's UNet, rank 4",
}
"""The available models, and the real models whose layout they have."""

_DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def make(name: str, folder: str | Path, *, seed: int = 0, variant: str | None = None) -> Path:
    """Write a tiny random model.

    Args:
        name: one of :data:`NAMES`.
        folder: the folder to write to; it is created if necessary, and must be empty.
        seed: another number gives another model of the same layout, such as a second ControlNet.
        variant: `fp16` for weights in float16, in files named `….fp16.safetensors`; None for float32.

    Returns:
        `folder`, as a path for ``from_pretrained`` (for LoRAs and IP-Adapters: for their ``load_…`` methods).

    Raises:
        UsageError: if the name or variant is unknown, or the folder is not empty.
    """
    if name not in NAMES:
        raise UsageError(f"no tiny model {name!r}; choose one of: {', '.join(NAMES)}")
    if variant not in (None, "fp16"):
        raise UsageError(f"unknown variant {variant!r}; expected 'fp16' or None")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; choose another folder, or remove its content")
    layout = json.loads(gzip.decompress((LAYOUTS / f"{name}.json.gz").read_bytes()))
    for part, text in layout["text"].items():
        _place(folder, part).write_text(text, encoding="utf-8")
    for part, source in layout["tokenizer"].items():
        shutil.copyfile(SHAPES_FOLDER / "tokenizer" / source, _place(folder, part))
    for part, weights in layout["weights"].items():
        tensors = {
            key: values(f"{name}/{seed}/{part}/{key}", key, tuple(shape)).astype(_DTYPES[dtype])
            for key, (dtype, shape) in weights["tensors"].items()
        }
        if variant:
            tensors = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in tensors.items()}
            part = part.removesuffix(".safetensors") + f".{variant}.safetensors"
        save_file(tensors, _place(folder, part), metadata=weights["metadata"])
    return folder


def make_temporary(name: str, *, seed: int = 0) -> str:
    """Write a tiny random model to a temporary folder, which exists until the process ends, and print a notice.

    Returns:
        The folder, as a string for ``from_pretrained``.
    """
    folder = temporary_folder(name)
    print(f"tiny random model: {NAMES.get(name, name)}; its images are noise", flush=True)
    return str(make(name, folder, seed=seed))


def _place(folder: Path, part: str) -> Path:
    path = folder / part
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
