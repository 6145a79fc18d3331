"""Count the operations, casts and synchronizations of a whole image: mindone_tcd, eager and compiled, and mindone.

    python benchmarks/operations.py [--steps 4]

The script uses the shipped model with 4 TCD steps and guidance 0 and 3. It counts the outermost calls (see
`counting.py`) in the second image of a pipeline. For a compiled pipeline it counts the calls of graphs, and the
operations outside them. It measures no time.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from typing import Any

os.environ.setdefault("GLOG_v", "3")

from harness import Contestant, machine, table
from image import PROMPT

KINDS = ("graphs", "operations", "casts", "waits")
GUIDANCE = (0.0, 3.0)


def counts(steps: int) -> dict:
    """The counts of every way to generate the image, by (way, guidance scale)."""
    from counting import counted
    from mindone.diffusers.schedulers.scheduling_tcd import TCDScheduler

    from mindone_tcd import compile_pipeline, load
    from mindone_tcd.compiled.graph import Graph
    from mindone_tcd.random import generator

    def generate(pipe: Any, guidance: float) -> None:
        pipe(
            PROMPT,
            num_inference_steps=steps,
            guidance_scale=guidance,
            eta=0.3,
            generator=[generator(0)],
            output_type="np",
        )

    def count(pipe: Any, guidance: float) -> Counter:
        generate(pipe, guidance)
        with counted({"graphs": (Graph, "__call__")}) as found:
            generate(pipe, guidance)
        return found

    def all_ways() -> dict[tuple[str, float], Counter]:
        pipe = load().pipeline
        pipe.set_progress_bar_config(disable=True)
        ours, theirs = pipe.scheduler, TCDScheduler.from_config(pipe.scheduler.config)
        found = {}
        for guidance in GUIDANCE:
            for name, scheduler in (("ours, PyNative", ours), ("mindone's scheduler, PyNative", theirs)):
                pipe.scheduler = scheduler
                found[name, guidance] = count(pipe, guidance)
        pipe.scheduler = ours
        for form in ("step", "trajectory"):
            compile_pipeline(pipe, form=form)
            for guidance in GUIDANCE:
                found[f"ours, compiled: {form}", guidance] = count(pipe, guidance)
        return found

    return {"count": all_ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--names", action="store_true", help="also the operations outside the graphs, by name")
    args = parser.parse_args()

    print(machine("mindspore", "mindone"))
    print(f"shipped, {args.steps} TCD steps, one image, the counts of its second call")
    contestant = Contestant(counts, args.steps)
    _, found = contestant.run("count")
    contestant.close()
    table(
        ("image", "guidance", "calls of graphs", *KINDS[1:]),
        [(name, f"{guidance:g}", *(one[kind] for kind in KINDS)) for (name, guidance), one in sorted(found.items())],
    )
    if args.names:
        for (name, guidance), one in found.items():
            print(f"{name}, guidance {guidance:g}:", ", ".join(f"{k} {n}" for k, n in one.most_common() if ":" in k))


if __name__ == "__main__":
    main()
