"""Count the outcomes for damaged model folders: refused in one line, taken, or an error from inside a library.

    python tools/fuzzing/check_model_folders.py                 # find_model only, without MindSpore
    python tools/fuzzing/check_model_folders.py --load          # also load the folders that find_model accepts
    python tools/fuzzing/check_model_folders.py --load --from-pretrained   # only DiffusionPipeline checks

The script prints a line for each damage that ends in another error, and the counts. Its exit status is 1 if there is
such a damage.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from model_folders import copy, damages
from outcomes import outcome

from mindone_tcd.files.model_folder import find_model

LIMIT = 120
"""The seconds after which a folder counts as a hang."""


def answer(load: Callable[[Path], object], folder: Path) -> tuple[str, str]:
    """The outcome ("refused", "taken" or "error"), and the message."""
    kind, message = outcome(lambda: load(folder), LIMIT)
    return (kind if kind in ("refused", "taken") else "error"), message


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--values", type=int, default=4, help="the number of wrong values for each field; 0 for all")
    parser.add_argument("--load", action="store_true", help="load the folders that find_model accepts")
    parser.add_argument("--from-pretrained", action="store_true", help="do not call find_model")
    parser.add_argument("--every", type=int, default=1, help="use only every n-th damage")
    parser.add_argument("--verbose", action="store_true", help="print all messages")
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    start = time.monotonic()
    pipeline = None
    if options.load:
        from mindone_tcd import exports

        pipeline = exports.get("DiffusionPipeline")
    with tempfile.TemporaryDirectory() as top:
        for number, damage in enumerate(damages(options.seed, options.values or None)[:: options.every]):
            folder = copy(Path(top) / str(number))
            damage.apply(folder)
            stage, (kind, message) = "find_model", ("taken", "")
            if not options.from_pretrained:
                kind, message = answer(lambda folder: find_model(str(folder)), folder)
            if kind == "taken" and pipeline is not None:
                stage = "from_pretrained"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    kind, message = answer(lambda folder: pipeline.from_pretrained(str(folder)), folder)
            counts[f"{kind} by {stage}" if kind != "taken" else kind] += 1
            if options.verbose or kind == "error" or (damage.sure and kind == "taken" and stage == "from_pretrained"):
                print(f"{kind} ({stage}): {damage.name}: {message}", flush=True)
            shutil.rmtree(folder)
    print(
        ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), f"in {time.monotonic() - start:.0f} s"
    )
    return int(any(kind.startswith("error") for kind in counts))


if __name__ == "__main__":
    sys.exit(main())
