"""Measure a whole image of 4 TCD steps, from prompt to pixels: MindSpore, eager and compiled, and diffusers on torch.

    python benchmarks/image.py [--model shipped|sd15] [--batch 1] [--openvino]

The pipelines are loaded before. All sides get the same prompt and noise. `shipped` has an unfused TCD-LoRA on both
sides. `sd15` is a model with the dimensions of Stable Diffusion 1.5, random weights and no LoRA. Each side runs in its
own process. They alternate, and the script compares the medians of 5 turns. The first image includes the compilation.
The script also prints the largest difference of a pixel from torch, of 255. `--openvino` (the [openvino] extra) adds
the pipeline of diffusers with its UNet, LoRA fused, and the decoder of the autoencoder converted to OpenVINO.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness import THREADS, Entry, add_options, chosen, compare, comparison, conditions
from samplers import Row, Sampler, mindspore_sampler, streams, torch_sampler
from sizes import add_folder, model_folder

PROMPT = "a red circle on a blue background"


def sampling(sampler: Sampler, lora: bool, batch: int) -> dict:
    """The functions of a contestant whose pipeline is loaded."""
    row = Row("tcd", lora, 4, 0.0)
    sampler.load(row)
    return {"image": lambda: sampler(row, [PROMPT] * batch, streams(0, 0, batch))}


def our_image(model: str, folder: str, batch: int, compile: bool | str) -> dict:
    """mindone_tcd."""
    sampler = mindspore_sampler("shapes" if model == "shipped" else folder, compile)
    return sampling(sampler, model == "shipped", batch)


def torch_image(model: str, folder: str, batch: int, openvino: str | None = None) -> dict:
    """diffusers on torch. With a precision for OpenVINO, the most expensive networks run in OpenVINO."""
    import torch

    torch.set_num_threads(THREADS)
    precisions = []

    def changed(pipe: Any) -> None:
        from openvino_side import converted

        if model == "shipped":
            pipe.fuse_lora()
            pipe.unload_lora_weights()
        precisions.append(converted(pipe.unet, openvino))
        converted(pipe.vae.decoder, openvino, tuples=False)

    sampler = torch_sampler(Path(folder), None if openvino is None else changed)
    found = sampling(sampler, model == "shipped", batch)
    return found if openvino is None else {**found, "precision": lambda: precisions[0]()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("shipped", "sd15"), default="shipped")
    parser.add_argument("--batch", type=int, default=1)
    add_options(parser)
    add_folder(parser)
    args = parser.parse_args()

    given = (args.model, model_folder(args.model, args.folder), args.batch)
    entries: dict[str, Entry] = {
        "torch, eager": (torch_image, given),
        "ours, PyNative": (our_image, (*given, False)),
        "ours, compiled": (our_image, (*given, "step")),
        "OpenVINO, f32": (torch_image, (*given, "f32")),
        "OpenVINO, default": (torch_image, (*given, "")),
    }
    print(conditions(args))
    print(f"{args.model}, {args.batch} images at once, 4 TCD steps, guidance 0, float32")
    results = compare(chosen(entries, args), args.rounds, args.apart)
    comparison(
        "images",
        "s",
        results,
        {
            "largest difference of pixels": lambda one, torchs: f"{255 * abs(one.value - torchs.value).max():.2g}",
            "mean": lambda one, torchs: f"{255 * abs(one.value - torchs.value).mean():.2g}",
        },
    )


if __name__ == "__main__":
    main()
