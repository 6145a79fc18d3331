"""A whole image of 4 TCD steps, prompt in, pixels out: ours, eager and compiled, beside diffusers on torch.

    python benchmarks/image.py [--model shipped|sd15] [--batch 1] [--openvino]

The pipelines are loaded; the same prompt and the same noise go in. `shipped` has its TCD LoRA on both sides, not fused;
`sd15` is a model of Stable Diffusion 1.5's dimensions with random weights and no LoRA. The contestants alternate, each
in a process of its own, and the medians of 5 turns are compared. The first image is the one that compiles. Also
printed is how far the pixels are from torch's, of 255. `--openvino` (the [openvino] extra) adds the pipeline of
diffusers with its UNet, LoRA fused, and the autoencoder's decoder converted to OpenVINO.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness import THREADS, Entry, add_options, chosen, compare, comparison, conditions
from samplers import Row, Sampler, mindspore_sampler, streams, torch_sampler
from sizes import add_folder, model_folder

PROMPT = "a red circle on a blue background"


def drawing(sampler: Sampler, lora: bool, batch: int) -> dict:
    """What a contestant runs, the pipeline being loaded."""
    row = Row("tcd", lora, 4, 0.0)
    sampler.load(row)
    return {"image": lambda: sampler(row, [PROMPT] * batch, streams(0, 0, batch))}


def our_picture(model: str, folder: str, batch: int, compile: bool | str) -> dict:
    """Ours."""
    sampler = mindspore_sampler("shapes" if model == "shipped" else folder, compile)
    return drawing(sampler, model == "shipped", batch)


def torch_picture(model: str, folder: str, batch: int, openvino: str | None = None) -> dict:
    """diffusers on torch; with the networks that cost most in OpenVINO, if a precision for it is given."""
    import torch

    torch.set_num_threads(THREADS)
    told = []

    def changed(pipe: Any) -> None:
        from openvino_side import converted

        if model == "shipped":
            pipe.fuse_lora()
            pipe.unload_lora_weights()
        told.append(converted(pipe.unet, openvino))
        converted(pipe.vae.decoder, openvino, tuples=False)

    sampler = torch_sampler(Path(folder), None if openvino is None else changed)
    found = drawing(sampler, model == "shipped", batch)
    return found if openvino is None else {**found, "precision": lambda: told[0]()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("shipped", "sd15"), default="shipped")
    parser.add_argument("--batch", type=int, default=1)
    add_options(parser)
    add_folder(parser)
    args = parser.parse_args()

    given = (args.model, model_folder(args.model, args.folder), args.batch)
    entries: dict[str, Entry] = {
        "torch, eager": (torch_picture, given),
        "ours, PyNative": (our_picture, (*given, False)),
        "ours, compiled": (our_picture, (*given, "step")),
        "OpenVINO, f32": (torch_picture, (*given, "f32")),
        "OpenVINO, default": (torch_picture, (*given, "")),
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
