"""Compare the UNet with int8 weights and the float32 UNet: seconds of a step, peak memory, and size of the weights.

    python benchmarks/int8.py [--model shipped|sd15] [--latent 64] [--batch 1] [--rounds 5] [--native off]

Both run as the graphs of a compiled pipeline, each in a process of its own that loads its graph from disk. They
alternate, and the script compares the medians of several turns. Because other programs may use the same cores, the
script also prints the processor time, which is the sum of the times of all threads. "weights" is the size of the
weights as a file: int8 with `mindone_tcd.quantize.files.save`, float32 and float16 with `save_pretrained`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Contestant, machine, table
from sizes import SIZES, add_folder, our_unet, unet_folder


def timed_unet(*given: Any) -> dict[str, Callable]:
    """The UNet; each run returns the result, and the processor seconds that it took."""
    (name, run), *_ = our_unet(*given).items()

    def with_time() -> tuple[Any, float]:
        before = time.process_time()
        result = run()
        return result, time.process_time() - before

    return {name: with_time}


def saved_unet(folder: str, quantize: str | None, target: str) -> dict[str, Callable]:
    """A function that writes the UNet's weights to a file and returns its size."""
    import mindspore as ms

    from mindone_tcd import UNet2DConditionModel
    from mindone_tcd.quantize.files import save
    from mindone_tcd.quantize.network import quantize_network

    def run() -> int:
        unet = UNet2DConditionModel.from_pretrained(folder, mindspore_dtype=ms.float16)
        if quantize is not None:
            save(quantize_network(unet), Path(target))
        else:
            unet.save_pretrained(target)
        return sum(file.stat().st_size for file in Path(target).parent.rglob("*.safetensors"))

    return {"size": run}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="shipped")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--latent", type=int, help="latent height and width (default: the model's own)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--native", choices=("on", "off"), default="on", help="off: stock kernels on both sides")
    add_folder(parser)
    args = parser.parse_args()
    latent = args.latent or SIZES[args.model].latent
    given = (args.model, unet_folder(args.model, args.folder), "float32", [(args.batch, latent)], True)
    os.environ["MINDONE_TCD_NATIVE"] = args.native
    print(machine("mindspore", "mindone"))
    print(f"{args.model}, batch {args.batch}, latents {latent} x {latent}, native kernels {args.native}")

    sides = {"float32": (*given, None), "int8": (*given, "int8")}
    with tempfile.TemporaryDirectory(prefix="mindone-tcd-int8-") as near:
        fresh = {"MINDONE_TCD_CACHE": f"{near}/graphs"}
        first, compiling = {}, {}
        for name, side in sides.items():  # compiles, and stores the graph on disk
            contestant = Contestant(timed_unet, *side, environment=fresh)
            first[name] = contestant.run(contestant.names[0])[1][0]
            compiling[name] = contestant.close()
        contestants = {name: Contestant(timed_unet, *side, environment=fresh) for name, side in sides.items()}
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        processor: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(-1, args.rounds):
            for name, contestant in contestants.items():
                for _ in range(1 if args.model != "shipped" else 5):
                    passed, (_, own) = contestant.run(contestant.names[0])
                    if turn >= 0:
                        seconds[name].append(passed)
                        processor[name].append(own)
        peaks = {name: contestant.close() for name, contestant in contestants.items()}
        sizes = {}
        for name, kind in (("float32", None), ("int8", "int8")):
            target = Path(near) / name / ("unet" if kind is None else "unet.safetensors")
            target.parent.mkdir()
            contestant = Contestant(saved_unet, given[1], kind, str(target))
            sizes[name] = contestant.run("size")[1]
            contestant.close()
        sizes["float32"], half = 2 * sizes["float32"], sizes["float32"]

    rows = []
    base = statistics.median(seconds["float32"]), statistics.median(processor["float32"])
    for name in sides:
        wall, own = statistics.median(seconds[name]), statistics.median(processor[name])
        rows.append(
            (
                *(name, f"{1e3 * wall:.1f}", f"{wall / base[0]:.2f}", f"{1e3 * own:.1f}", f"{own / base[1]:.2f}"),
                *(f"{peaks[name]:.0f}", f"{peaks[name] / peaks['float32']:.2f}"),
                *(f"{compiling[name]:.0f}", f"{compiling[name] / compiling['float32']:.2f}"),
                *(f"{sizes[name] / 1e6:.1f}", f"{sizes[name] / half:.2f}"),
            )
        )
    table(
        (
            *("UNet step", "ms", "times float32", "processor, ms", "times float32", "peak memory, MB", "times float32"),
            *("while compiling, MB", "times float32", "weights, MB", "times float16"),
        ),
        rows,
    )
    difference = abs(first["int8"] - first["float32"])
    print(f"difference of the results: mean {difference.mean():.2e}, largest {difference.max():.2e}, of values up to")
    print(f"{abs(first['float32']).max():.2f}")


if __name__ == "__main__":
    main()
