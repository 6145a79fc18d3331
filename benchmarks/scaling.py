"""Measure a compiled UNet step for larger images and batches, beside torch, and its share of the machine's peak speed.

    python benchmarks/scaling.py [--model shipped|sd15] [--latents 16 24 32] [--batches 1 2 4]

The script measures all latent sizes with the first batch size, and all batch sizes with the first latent size. torch's
FlopCounterMode counts the multiply-adds exactly (one is two FLOP; attention counts as its two products). The peak speed
is the faster of torch and MindSpore in a product of two float32 matrices of 2048 x 2048 in the same run. All sides
alternate, and the figures are medians of 5 turns.
"""

from __future__ import annotations

import argparse
from functools import partial

from harness import THREADS, Contestant, machine, medians, table
from sizes import SIZES, TIMESTEP, Shapes, add_folder, inputs, name_of, our_unet, step, torch_unet, unet_folder

WIDTH = 2048
PRODUCTS = 4
"""The number of products in one measurement: one takes a tenth of a second, which is too short on a shared machine."""


def torch_product() -> dict:
    """A matrix product in torch."""
    import torch

    torch.set_num_threads(THREADS)
    a, b = torch.randn(2, WIDTH, WIDTH)

    def run() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, b)

    return {"torch.mm": run}


def our_product() -> dict:
    """A matrix product in MindSpore."""
    import mindspore as ms
    import numpy as np

    a, b = (ms.Tensor(one) for one in np.random.default_rng(0).standard_normal((2, WIDTH, WIDTH)).astype(np.float32))

    def run() -> None:
        for _ in range(PRODUCTS):
            c = ms.ops.matmul(a, b)
        c.asnumpy()

    return {"MindSpore's MatMul": run}


def flop(model: str, folder: str, shapes: Shapes) -> dict:
    """A function that counts the floating-point operations of a step."""
    import diffusers
    import torch
    from diffusers.models.attention_processor import AttnProcessor
    from torch.utils.flop_counter import FlopCounterMode

    unet = diffusers.UNet2DConditionModel.from_pretrained(folder).eval()
    unet.set_attn_processor(AttnProcessor())  # the counter does not know the fused CPU kernel

    def run(batch: int, latent: int) -> int:
        given = {name: torch.from_numpy(value) for name, value in inputs(model, batch, latent).items()}
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            step(unet, torch.tensor(TIMESTEP), given)
        return counter.get_total_flops()

    return {name_of("flop", *shape): partial(run, *shape) for shape in shapes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=[*SIZES], default="shipped")
    parser.add_argument("--latents", type=int, nargs="+")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=5)
    add_folder(parser)
    args = parser.parse_args()

    own = SIZES[args.model].latent
    latents = args.latents or [own, own * 3 // 2, own * 2]
    shapes = [(args.batches[0], latent) for latent in latents] + [(batch, latents[0]) for batch in args.batches[1:]]
    folder = unet_folder(args.model, args.folder)
    print(machine("mindspore", "mindone", "torch", "diffusers"))
    print(f"{args.model}, float32, medians of {args.rounds} rounds, alternating")

    counter = Contestant(flop, args.model, folder, shapes)
    work = {shape: counter.run(name_of("flop", *shape))[1] for shape in shapes}
    counter.close()
    given = (args.model, folder, "float32", shapes)
    contestants = [Contestant(torch_product), Contestant(our_product)]
    contestants += [Contestant(torch_unet, *given), Contestant(our_unet, *given, True)]
    took = medians(contestants, args.rounds)
    for contestant in contestants:
        contestant.close()

    products = {name: 2e-9 * PRODUCTS * WIDTH**3 / took[name] for name in ("torch.mm", "MindSpore's MatMul")}
    peak = max(products.values())
    print(", ".join(f"{name}: {power:.0f} GFLOP/s" for name, power in products.items()))
    rows = []
    for shape in shapes:
        theirs, ours = (took[name_of(label, *shape)] for label in ("torch", "compiled"))
        speeds = [1e-9 * work[shape] / seconds for seconds in (theirs, ours)]
        rows.append(
            (
                *shape,
                f"{1e-9 * work[shape]:.2f}",
                *(f"{1e3 * seconds:.1f}" for seconds in (theirs, ours)),
                f"{ours / theirs:.2f}",
                *(f"{speed:.1f} ({speed / peak:.0%})" for speed in speeds),
            )
        )
    table(
        (
            "batch",
            "latents",
            "GFLOP",
            "torch, ms",
            "ours, ms",
            "ratio",
            "torch, GFLOP/s (share)",
            "ours, GFLOP/s (share)",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
