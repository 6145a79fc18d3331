"""Compare the time of 4 TCD steps with that of the teacher's 50 DDIM steps, for images of similar quality.

    python benchmarks/equal_quality.py [--prompts 64] [--batch 1] [--torch]

The script uses the shipped model, with its LoRA unfused and fused. Prompts and judge are those of accuracy.py. Each way
to sample runs in its own process. The processes generate the same images and alternate, with four calls in each turn.
The script compares the median seconds per image. `--torch` adds diffusers on torch.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from dataclasses import replace

import numpy as np
from harness import THREADS, Contestant, machine, table
from samplers import FEW, TEACHER, Row, mindspore_sampler, streams, torch_sampler, unseen_scenes

from mindone_tcd.shapes.judge import judge

SEED = 0
CALLS = 4
"""The number of calls in a turn. The first one wakes up the threads of the process."""
WAYS = ("torch", "ours, PyNative", "ours, compiled")


def sampling(way: str, row: Row, prompts: list[str], batch: int) -> dict:
    """A function that generates the next images at each call."""
    if way == "torch":
        import torch

        torch.set_num_threads(THREADS)
        sampler = torch_sampler()
    else:
        sampler = mindspore_sampler(compile=way == "ours, compiled")
    sampler.load(row)
    places = iter(range(0, len(prompts), batch))

    def generate(place: int) -> np.ndarray:
        part = prompts[place : place + batch]
        return sampler(row, part, streams(SEED, place, len(part)))

    def generate_turn() -> np.ndarray:
        return np.concatenate([generate(place) for place in itertools.islice(places, CALLS)])

    return {"warm": lambda: generate(0), "next": generate_turn}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument(
        "--batch", type=int, default=1, help="images generated at once; 4 times it divides the number of prompts"
    )
    parser.add_argument("--torch", action="store_true", help="also diffusers on torch")
    parser.add_argument("--eager", action="store_true", help="also MindSpore in PyNative")
    args = parser.parse_args()
    if args.prompts % (CALLS * args.batch):
        parser.error(f"--prompts {args.prompts} is no multiple of {CALLS} times --batch {args.batch}")

    scenes, prompts = unseen_scenes(args.prompts, two=0.0, seed=31337)
    print(machine("mindspore", "mindone", *(["torch", "diffusers"] if args.torch else [])))
    print(f"shipped, {args.prompts} prompts, {args.batch} at once, float32, alternating")
    rows = (TEACHER, FEW[0], replace(FEW[0], fused=True))
    ways = [way for way in WAYS if way == "ours, compiled" or (args.torch if way == "torch" else args.eager)]
    contestants = {(way, row): Contestant(sampling, way, row, prompts, args.batch) for way in ways for row in rows}
    for contestant in contestants.values():
        contestant.run("warm")
    times = {key: [] for key in contestants}
    images = {key: [] for key in contestants}
    for _ in range(args.prompts // (CALLS * args.batch)):
        for key, contestant in contestants.items():
            seconds, drawn = contestant.run("next")
            times[key].append(seconds / len(drawn))
            images[key] += list(drawn)
    took = {key: statistics.median(values) for key, values in times.items()}
    for contestant in contestants.values():
        contestant.close()

    def right(key: tuple[str, Row]) -> float:
        return 100 * np.mean([judge(image, scene).right for image, scene in zip(images[key], scenes, strict=True)])

    table(
        ("images", "right, %", "s an image", "times faster than the teacher"),
        [
            (
                f"{way}: {row.name}",
                f"{right((way, row)):.1f}",
                f"{took[way, row]:.3f}",
                f"{took[way, TEACHER] / took[way, row]:.1f}",
            )
            for way, row in contestants
        ],
    )


if __name__ == "__main__":
    main()
