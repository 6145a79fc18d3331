"""UNets and complete models with the dimensions of real ones, and inputs for them, the same for every framework.

torch generates their random weights once from a fixed seed and stores them in float16 files, so that both sides read
the same weights. The shipped model has its own weights.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import THREADS, Contestant

from mindone_tcd.shapes.folder import SHAPES_FOLDER

TIMESTEP = 499
DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class Size:
    """A model.

    Attributes:
        latent: the height and width of its latents.
        tokens: the number of tokens of a prompt.
        width: the width of a token's embedding.
        pooled: the width of the pooled prompt embedding, for UNets that need one.
        unet: the dimensions of the UNet; None for the shipped model.
    """

    latent: int
    tokens: int
    width: int
    pooled: int | None = None
    unet: Mapping[str, Any] | None = None


SIZES = {
    "shipped": Size(16, 24, 128, 64),
    "sd15": Size(
        *(64, 77, 768),
        unet={
            "sample_size": 64,
            "cross_attention_dim": 768,
            "attention_head_dim": 8,
            "block_out_channels": (320, 640, 1280, 1280),
        },
    ),
    "sdxl": Size(
        *(128, 77, 2048, 1280),
        unet={
            "sample_size": 128,
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
    ),
}


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder of generated models."""
    parser.add_argument("--folder", type=Path, help="the folder of generated models (default: a temporary one)")


def unet_folder(model: str, folder: Path | None) -> str:
    """The folder of a model's UNet, which is generated if it does not exist."""
    if SIZES[model].unet is None:
        return str(SHAPES_FOLDER / "unet")
    place = _place(model, folder) / "unet"
    if not place.exists():
        Contestant(_create_unet, model, str(place)).close()
    return str(place)


def model_folder(model: str, folder: Path | None) -> str:
    """The folder of a complete model; missing components are generated. The only one of real dimensions is sd15."""
    if SIZES[model].unet is None:
        return str(SHAPES_FOLDER)
    place = _place(model, folder)
    unet_folder(model, place.parent)
    if not (place / "model_index.json").exists():
        Contestant(_create_rest, str(place)).close()
    return str(place)


def _place(model: str, folder: Path | None) -> Path:
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="mindone-tcd-sizes-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / model


def _create_unet(model: str, place: str) -> dict:
    import diffusers
    import torch

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)  # float32 would need twice the memory
    diffusers.UNet2DConditionModel(**SIZES[model].unet).save_pretrained(place)
    return {}


def _create_rest(place: str) -> dict:
    """Add the text encoder and autoencoder of Stable Diffusion 1.5's dimensions to an existing UNet."""
    import diffusers
    import torch
    import transformers

    from mindone_tcd.tiny_models import make

    torch.manual_seed(0)
    text = transformers.CLIPTextConfig(
        **{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
        **{"projection_dim": 768, "hidden_act": "quick_gelu"},
    )
    kind = "{}EncoderBlock2D"
    parts = {
        "text_encoder": transformers.CLIPTextModel(text),
        "vae": diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=(kind.format("Down"),) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=512,
        ),
    }
    with tempfile.TemporaryDirectory() as near:
        tiny = make("sd15", Path(near) / "model")
        for name, part in parts.items():
            shutil.rmtree(tiny / name)
            part.half().save_pretrained(tiny / name, safe_serialization=True)
        settings = tiny / "tokenizer" / "tokenizer_config.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "model_max_length": 77}))
        shutil.rmtree(tiny / "unet")
        shutil.copytree(tiny, place, dirs_exist_ok=True)
    return {}


def inputs(model: str, batch: int, latent: int) -> dict[str, np.ndarray]:
    """The inputs of a UNet step, without the timestep; float32."""
    size = SIZES[model]
    rng = np.random.default_rng(0)
    found = {
        "sample": rng.standard_normal((batch, 4, latent, latent)),
        "encoder_hidden_states": rng.standard_normal((batch, size.tokens, size.width)),
    }
    if size.pooled is not None:
        pixels = 8 * latent
        found["text_embeds"] = rng.standard_normal((batch, size.pooled))
        found["time_ids"] = np.tile([pixels, pixels, 0, 0, pixels, pixels], (batch, 1))
    return {name: value.astype(np.float32) for name, value in found.items()}


def step(unet: Callable, timestep: Any, given: Mapping[str, Any]) -> Any:
    """One call of a UNet, in either framework, with `inputs` as its tensors."""
    sample, states, *added = given.values()
    more = {"added_cond_kwargs": dict(zip(("text_embeds", "time_ids"), added, strict=True))} if added else {}
    return unet(sample, timestep, encoder_hidden_states=states, return_dict=False, **more)[0]


Shapes = list[tuple[int, int]]
"""Batches and latent sizes."""


def name_of(label: str, batch: int, latent: int) -> str:
    """The name of a run."""
    return f"{label}, {batch} x {latent}"


def torch_unet(model: str, folder: str, dtype: str, shapes: Shapes, openvino: str | None = None) -> dict:
    """The UNet of diffusers on torch, eager, or converted to OpenVINO with a precision ("": OpenVINO selects it)."""
    import diffusers
    import torch

    torch.set_num_threads(THREADS)
    kind = getattr(torch, dtype)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder, torch_dtype=kind).eval()
    tell = None if openvino is None else _through_openvino(unet, openvino)

    def run(given: dict) -> np.ndarray:
        with torch.no_grad():
            return step(unet, torch.tensor(TIMESTEP), given).float().numpy()

    def tensors(batch: int, latent: int) -> dict:
        return {name: torch.from_numpy(value).to(kind) for name, value in inputs(model, batch, latent).items()}

    label = "torch" if tell is None else "OpenVINO"
    found: dict[str, Callable] = {name_of(label, *shape): partial(run, tensors(*shape)) for shape in shapes}
    return found if tell is None else {**found, "precision": tell}


def _through_openvino(unet: Any, precision: str) -> Callable[[], str]:
    from openvino_side import converted

    return converted(unet, precision)


def our_unet(model: str, folder: str, dtype: str, shapes: Shapes, compiled: bool, quantize: str | None = None) -> dict:
    """The UNet on MindSpore, in PyNative or as the graphs of a compiled pipeline, and possibly with int8 weights."""
    import mindspore as ms

    from mindone_tcd import UNet2DConditionModel
    from mindone_tcd.compiled.graph import Part
    from mindone_tcd.quantize.network import quantize_network

    kind = getattr(ms, dtype)
    # The weights of a network that will be quantized are read as they are in the files, in float16.
    unet = UNet2DConditionModel.from_pretrained(folder, mindspore_dtype=kind if quantize is None else ms.float16)
    unet.set_train(False)
    if quantize is not None:
        quantize_network(unet, kind)
    image = contextlib.ExitStack()  # inside one, the model is checked only before the first step
    if compiled:
        part = Part(unet, "O0")
        part.install()
        image.enter_context(part.checked_once())

    def run(given: dict) -> np.ndarray:
        return step(unet, ms.Tensor(TIMESTEP), given).float().asnumpy()

    def tensors(batch: int, latent: int) -> dict:
        return {name: ms.Tensor(value, kind) for name, value in inputs(model, batch, latent).items()}

    label = "compiled" if compiled else "PyNative"
    atexit.register(image.close)
    return {name_of(label, *shape): partial(run, tensors(*shape)) for shape in shapes}
