"""Measure how much the images change if only one group of the UNet's layers has int8 weights.

    python benchmarks/int8_layers.py [--method tcd] [--prompts 64] [--seed 0] [--only TEXT]

Each row quantizes the layers of one group, or all of them except one group, and computes the images of the same
prompts and seeds, with 4 steps. The weights are quantized and widened again, which gives the numbers that a quantized
layer multiplies. "mean" and "largest" are the differences of the pixels from those of the float32 images, of 255.
"right" is the share of the images that the judge accepts at an overlap of 0.8 and 0.9, in percent.
"""

from __future__ import annotations

import argparse

import numpy as np
from harness import machine, table
from samplers import Row, mindspore_sampler, streams, unseen_scenes

from mindone_tcd.shapes.judge import STRICT_OVERLAP, read_with_features, verdict_of

GROUPS = {
    "conv_in": ("conv_in",),
    "conv_out": ("conv_out",),
    "time_embedding, add_embedding": ("time_embedding", "add_embedding"),
    "time_emb_proj": ("time_emb_proj",),
    "convolutions of the residual blocks": ("conv1", "conv2"),
    "shortcuts": ("conv_shortcut",),
    "downsamplers, upsamplers": ("downsamplers", "upsamplers"),
    "proj_in, proj_out": ("proj_in", "proj_out"),
    "self-attention": ("attn1",),
    "cross-attention": ("attn2",),
    "feed-forward": ("ff",),
}
"""The groups of layers, and the parts of their names."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=("tcd", "lcm"), default="tcd")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", default="", help="only the rows whose name contains this text")
    args = parser.parse_args()
    print(machine("mindspore", "mindone"))

    import mindspore as ms
    from mindspore import mint

    from mindone_tcd.quantize.network import is_kept
    from mindone_tcd.quantize.weights import dequantized, quantized

    scenes, prompts = unseen_scenes(args.prompts, 0.0, seed=31337)
    row = Row(args.method, True, 4, 0.0)
    sampler = mindspore_sampler()
    pipe = sampler.load(row)
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    layers = {
        name: cell.weight
        for name, cell in pipe.unet.cells_and_names()
        if type(cell) in (mint.nn.Linear, mint.nn.Conv2d)
    }
    before = {name: weight.asnumpy().copy() for name, weight in layers.items()}

    def images(chosen: set[str]) -> np.ndarray:
        for name, weight in layers.items():
            values = dequantized(*quantized(before[name])) if name in chosen else before[name]
            weight.set_data(ms.Tensor(values))
        found = []
        for first in range(0, len(prompts), args.batch):
            some = prompts[first : first + args.batch]
            found.append(sampler(row, some, streams(args.seed, first, len(some))))
        return np.concatenate(found)

    expected = images(set())

    def result(name: str, chosen: set[str]) -> tuple[str, ...]:
        """A row of the table."""
        made = images(chosen) if chosen else expected
        difference = 255 * abs(made - expected)
        verdicts = [verdict_of(read_with_features(image)[0], scene) for image, scene in zip(made, scenes, strict=True)]
        shares = np.mean([v.right for v in verdicts]), np.mean([v.right_at(STRICT_OVERLAP) for v in verdicts])
        weights = sum(before[layer].size for layer in chosen) / sum(values.size for values in before.values())
        cells = f"{100 * weights:.1f}", f"{difference.mean():.3f}", f"{difference.max():.0f}"
        return name, *cells, " / ".join(f"{100 * share:.1f}" for share in shares)

    def of(parts: tuple[str, ...]) -> set[str]:
        return {name for name in layers if set(name.split(".")) & set(parts)}

    everything = set(layers)
    rows = {
        "float32": set(),
        **{f"only {name}": of(parts) for name, parts in GROUPS.items()},
        "all layers": everything,
        **{f"all except {name}": everything - of(parts) for name, parts in GROUPS.items()},
        "all that load quantizes": {name for name in layers if not is_kept(name)},
    }
    chosen_rows = (result(name, chosen) for name, chosen in rows.items() if args.only in name)
    table(("layers", "weights, %", "mean", "largest", "right, %"), chosen_rows)


if __name__ == "__main__":
    main()
