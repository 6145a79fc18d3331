"""Measure the start of a program: `load()` beside `import mindspore`, and the first image beside its minimum.

    python benchmarks/startup.py [--rounds 5]

The first image is `mindone-tcd generate "a red circle on a blue background"`: eager, with --compile and an empty cache
of graphs, and with --compile and the cache that the previous run filled. The minimum (floor) is a process that only
imports MindSpore, plus the same image in a process that has everything loaded (and compiled). Every other measurement
uses a fresh process. All alternate, and the figures are medians of 5 turns. Run the script with and without torch
installed, because transformers imports torch.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Contestant, machine, table
from image import PROMPT

PROGRAMS = {"import mindspore": "import mindspore", "load()": "from mindone_tcd import load; load()"}
FORMS = {"eager": [], "compiled, empty cache": ["--compile"], "compiled, filled cache": ["--compile"]}


def loaded(compile: bool, out: str) -> dict:
    """The same image, with the functions that the command calls, in a process that has everything loaded."""
    from mindone_tcd import load

    pipe = load(compile=compile)
    pipe.pipeline.set_progress_bar_config(disable=True)

    def image() -> None:
        pipe(PROMPT)[0].save(Path(out))

    return {"image": image}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """The seconds of a process from its start to its end."""
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()

    print(machine("mindspore", "mindone"))
    print(f"torch is {'' if importlib.util.find_spec('torch') else 'not '}installed")
    print(f"medians of {args.rounds} rounds, alternating")
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = {"MINDONE_TCD_CACHE": f"{folder}/loaded"}
        ready = {
            form: Contestant(loaded, form != "eager", f"{folder}/{form}.png", environment=kept)
            for form in ("eager", "compiled")
        }
        for contestant in ready.values():
            contestant.run("image")
        for turn in range(args.rounds):
            environment = {"GLOG_v": "3", "MINDONE_TCD_CACHE": f"{folder}/{turn}"}
            for name, program in PROGRAMS.items():
                times.setdefault(name, []).append(seconds([sys.executable, "-c", program], environment))
            for form, contestant in ready.items():
                contestant.run("image")
                times.setdefault(f"{form} image", []).append(contestant.run("image")[0])
            command = [sys.executable, "-m", "mindone_tcd.cli", "generate", PROMPT, "--out", f"{folder}/{turn}.png"]
            command.append("--overwrite")  # each form writes the same file
            for form, options in FORMS.items():
                times.setdefault(form, []).append(seconds([*command, *options], environment))
        for contestant in ready.values():
            contestant.close()
    took = {name: statistics.median(values) for name, values in times.items()}

    def row(form: str) -> tuple[str, ...]:
        image = took[f"{form.partition(',')[0]} image"]
        floor = took["import mindspore"] + image
        figures = (took[form], took["import mindspore"], image, floor)
        return (form, *(f"{figure:.2f}" for figure in figures), f"{took[form] / floor:.2f}")

    loading, importing = took["load()"], took["import mindspore"]
    print(f"load(): {loading:.2f} s, import mindspore: {importing:.2f} s, {loading / importing:.2f} times\n")
    table(
        ("first image", "s", "import mindspore, s", "image, all loaded, s", "floor, s", "times the floor"),
        [row(form) for form in FORMS],
    )


if __name__ == "__main__":
    main()
