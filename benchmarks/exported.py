"""Measure the first image of a fresh process, and its memory: eager, compiled, and from an exported folder.

    python benchmarks/exported.py [--model shipped|sd15] [--size 128] [--rounds 5]

Each measurement is one process that loads the model, generates one image of 4 TCD steps, and ends. The sides alternate,
and the figures are medians. `eager` is `load()`; `compiled` reads graphs that an earlier process stored on disk;
`exported` is `load(model=FOLDER)` without mindone. The script also prints the seconds of an image in a process that has
generated one already, the share of a step that the sampler takes on the host, the time and the size of the export, and
the largest difference of a pixel, of 255. `sd15` has the dimensions of Stable Diffusion 1.5 and random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import machine
from image import PROMPT
from sizes import add_folder, model_folder

PROGRAM = """
import json, resource, sys, time

import numpy as np

model, how, lora, size = json.loads(sys.argv[1])
started = time.perf_counter()
from mindone_tcd import load

pipe = load(model=model, lora=lora, compile=how == "compiled")
pipe.pipeline.set_progress_bar_config(disable=True)
image = pipe(sys.argv[2], size=size)[0].image
first = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
times = []
for _ in range(int(sys.argv[3])):
    started = time.perf_counter()
    pipe(sys.argv[2], size=size)
    times.append(time.perf_counter() - started)
step = 0.0
if how == "exported":
    sampler, taken = pipe.pipeline.scheduler, []
    predict = pipe.pipeline._predict

    def timed(*arguments):
        begun = time.perf_counter()
        found = predict(*arguments)
        taken.append(time.perf_counter() - begun)
        return found

    pipe.pipeline._predict = timed
    shape = (1, 4, size // 8, size // 8)
    latents = np.zeros(shape, np.float32)
    from mindone_tcd.random import generator

    begun = time.perf_counter()
    for _ in range(100):
        list(sampler.run(latents, sampler.timesteps(4), 0, 0.3, [generator(0)], lambda x, t: x))
    step = (time.perf_counter() - begun) / 400
    pipe(sys.argv[2], size=size)
    step /= sum(taken) / len(taken)
np.save(sys.argv[4], np.asarray(image))
print(json.dumps([first, peak, times, step, "mindone" in sys.modules]))
"""


def measured(model: str, how: str, lora: str | None, size: int, more: int, out: Path, cache: Path) -> list:
    """Run one process; the seconds to the first image, the peak in MB, and the seconds of the images after it."""
    command = [sys.executable, "-c", PROGRAM, json.dumps([model, how, lora, size]), PROMPT, str(more), str(out)]
    environment = {**os.environ, "GLOG_v": "3", "MINDONE_TCD_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def size_of(folder: Path) -> float:
    """MB of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("shipped", "sd15"), default="shipped")
    parser.add_argument("--size", type=int, help="pixels (default: 128, and 256 for sd15)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--more", type=int, default=3, help="images after the first, in each process")
    add_folder(parser)
    args = parser.parse_args()
    size = args.size or (128 if args.model == "shipped" else 256)
    model = "shapes" if args.model == "shipped" else model_folder(args.model, args.folder)
    lora = None if args.model == "shipped" else "none"

    print(machine("mindspore", "mindone"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "exported"
        command = [sys.executable, "-m", "mindone_tcd.cli", "export", "--model", model, "--size", str(size)]
        command += ["--out", str(folder), *([] if lora is None else ["--lora", lora])]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "GLOG_v": "3"})
        if done.returncode:
            raise RuntimeError(done.stderr)
        print(f"export: {time.perf_counter() - started:.0f} s, {size_of(folder):.0f} MB")
        sides = {"eager": model, "compiled": model, "exported": str(folder)}
        found: dict[str, list] = {name: [] for name in sides}
        measured(model, "compiled", lora, size, 0, Path(place) / "warm.npy", Path(place) / "cache")
        for _ in range(args.rounds):
            for name, source in sides.items():
                own = None if name == "exported" else lora
                out = Path(place) / f"{name}.npy"
                found[name].append(measured(source, name, own, size, args.more, out, Path(place) / "cache"))
        images = {name: np.load(Path(place) / f"{name}.npy").astype(int) for name in sides}
    eager = [statistics.median(run[k] for run in found["eager"]) for k in range(2)]
    print(f"medians of {args.rounds} rounds, alternating; {size}x{size}")
    print("side       first image   of eager   peak MB   of eager   next image   largest difference")
    for name, runs in found.items():
        first, peak = (statistics.median(run[k] for run in runs) for k in range(2))
        following = statistics.median(each for run in runs for each in run[2]) if args.more else float("nan")
        apart = abs(images[name] - images["eager"]).max()
        print(
            f"{name:9} {first:9.1f} s {first / eager[0]:10.2f} {peak:9.0f} {peak / eager[1]:10.2f} "
            f"{following:10.3f} s {apart:12}"
        )
    share = statistics.median(run[3] for run in found["exported"])
    print(f"the sampler on the host takes {share:.2%} of a step's time")
    if any(run[4] for run in found["exported"]):
        raise RuntimeError("the exported side imported mindone")


if __name__ == "__main__":
    main()
