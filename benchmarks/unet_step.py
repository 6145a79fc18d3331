"""Measure one UNet step: MindSpore, eager and compiled, and diffusers on torch, with the same weights and inputs.

    python benchmarks/unet_step.py --model shipped|sd15|sdxl [--batch 1] [--latent 64] [--dtype float32] [--openvino]

torch runs eagerly with 2 threads under no_grad. MindSpore runs in PyNative, as the graph of a compiled pipeline, and as
the same graph in a second process, which loads it from disk; and both again with int8 weights. Each side has its own
process. They alternate, and the script compares the medians of 5 turns. For sdxl they run one after the other, so that
two models are never in memory together. torch convolves slowly in float16 on a CPU: use `--latent 8` then, which hardly
changes the memory. The script prints the ratios to torch, the seconds of the first call (which compiles a graph), the
peak memory of each process, and the difference from torch's results.

`--openvino` (the [openvino] extra) adds torch's model converted to OpenVINO, in float32 and in the precision that
OpenVINO selects for the machine. Its first call and its memory include the conversion.
"""

from __future__ import annotations

import argparse

from harness import Entry, add_options, chosen, compare, comparison, conditions
from sizes import DTYPES, SIZES, add_folder, our_unet, torch_unet, unet_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="shipped")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--latent", type=int, help="latent height and width (default: the model's own; sdxl: 32)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    add_options(parser)
    add_folder(parser)
    args = parser.parse_args()

    # With latents of 128, the activations of SDXL's UNet do not fit into memory together with its weights.
    latent = args.latent or (32 if args.model == "sdxl" else SIZES[args.model].latent)
    args.apart |= args.model == "sdxl"
    given = (args.model, unet_folder(args.model, args.folder), args.dtype, [(args.batch, latent)])
    entries: dict[str, Entry] = {
        "torch, eager": (torch_unet, given),
        "ours, PyNative": (our_unet, (*given, False)),
        "ours, compiled": (our_unet, (*given, True)),
        "ours, compiled before": (our_unet, (*given, True)),
        "ours, int8": (our_unet, (*given, True, "int8")),
        "ours, int8 before": (our_unet, (*given, True, "int8")),
        "OpenVINO, f32": (torch_unet, (*given, "f32")),
        "OpenVINO, default": (torch_unet, (*given, "")),
    }

    print(conditions(args))
    print(f"{args.model}, batch {args.batch}, latents {latent} x {latent}, {args.dtype}")
    results = compare(chosen(entries, args), args.rounds, args.apart)
    print(f"largest value {abs(results['torch, eager'].value).max():.3g}")
    comparison(
        "UNet step",
        "ms",
        results,
        {
            "times torch's": lambda one, torchs: f"{one.peak / torchs.peak:.2f}",
            "largest difference": lambda one, torchs: f"{abs(one.value - torchs.value).max():.1e}",
        },
    )


if __name__ == "__main__":
    main()
