"""From the command line to the first picture, beside the least that it could take.

    python benchmarks/first_picture.py [--rounds 5]

`mindone-tcd generate "a red circle on a blue background"`, eager; with --compile and an empty cache of graphs; and with
--compile and the cache that the run before has filled. The floor is a process that imports MindSpore and does nothing,
plus the same picture in a process that has all loaded (and compiled) already. All take turns; medians of 5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from picture import PROMPT
from turns import Contestant, machine, table

FORMS = {"eager": [], "compiled, empty cache": ["--compile"], "compiled, filled cache": ["--compile"]}


def loaded(compile: bool, out: str) -> dict:
    """The same picture, by what the command calls, in a process that is ready."""
    from mindone_tcd import load

    pipe = load(compile=compile)
    pipe.pipeline.set_progress_bar_config(disable=True)

    def picture() -> None:
        pipe(PROMPT)[0].save(Path(out))

    return {"picture": picture}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """How long a process takes from its start to its end."""
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
    print(f"medians of {args.rounds} rounds, alternating")
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = {"MINDONE_TCD_CACHE": f"{folder}/loaded"}
        ready = {
            form: Contestant(loaded, form != "eager", f"{folder}/{form}.png", environment=kept)
            for form in ("eager", "compiled")
        }
        for contestant in ready.values():
            contestant.run("picture")
        for turn in range(args.rounds):
            environment = {"GLOG_v": "3", "MINDONE_TCD_CACHE": f"{folder}/{turn}"}
            times.setdefault("import", []).append(seconds([sys.executable, "-c", "import mindspore"], environment))
            for form, contestant in ready.items():
                contestant.run("picture")
                times.setdefault(f"{form} picture", []).append(contestant.run("picture")[0])
            command = [sys.executable, "-m", "mindone_tcd.cli", "generate", PROMPT, "--out", f"{folder}/{turn}.png"]
            for form, options in FORMS.items():
                times.setdefault(form, []).append(seconds([*command, *options], environment))
        for contestant in ready.values():
            contestant.close()
    took = {name: statistics.median(values) for name, values in times.items()}

    def row(form: str) -> tuple[str, ...]:
        picture = took[f"{form.partition(',')[0]} picture"]
        floor = took["import"] + picture
        figures = (took[form], took["import"], picture, floor)
        return (form, *(f"{figure:.2f}" for figure in figures), f"{took[form] / floor:.2f}")

    table(
        ("first picture", "s", "import mindspore, s", "picture, all loaded, s", "floor, s", "times the floor"),
        [row(form) for form in FORMS],
    )


if __name__ == "__main__":
    main()
