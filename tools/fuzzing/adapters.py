"""Load damaged adapter files into tiny pipelines, and report pipelines that an error changed.

    python tools/fuzzing/adapters.py --count 2000

The exit status is 1 if an error changed a pipeline, or if the outputs at the end differ from those at the beginning.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "adapters")]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MINDONE_TCD_CACHE", "off")


def main() -> int:
    """Run the loop. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="the number of files (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the damages (default: 0)")
    parser.add_argument("--source", action="append", help="only files of this layout; can be repeated")
    options = parser.parse_args()

    import fuzz_files
    import numpy as np

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    counts: Counter[tuple[str, str]] = Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = fuzz_files.Fuzzer(Path(folder), options.seed, options.source)
        outputs = fuzzer.outputs()
        for number in range(options.count):
            start = time.perf_counter()
            outcome = fuzzer.next(number)
            seconds = time.perf_counter() - start
            kind = "loaded" if outcome.error is None else type(outcome.error).__name__
            counts[outcome.source, kind] += 1
            text = str(outcome.error or "")
            notes = [f"changed: {'; '.join(outcome.changed)[:500]}"] if outcome.changed else []
            if kind not in ("loaded", "UsageError") or "\n" in text or len(text) > 2000:
                notes.append(f"{kind} of {len(text)} characters: {text[:120]!r}")
            if seconds > 20:
                notes.append(f"{seconds:.0f} s")
            if notes:
                print(f"{number} {outcome.source}: {outcome.mutation[:120]!r}: {'; '.join(notes)}", flush=True)
            faults += bool(outcome.changed)
        other = [name for name, values in fuzzer.outputs().items() if not np.array_equal(values, outputs[name])]
    for (source, kind), count in sorted(counts.items()):
        print(f"{source:20} {kind:20} {count:6}")
    print(f"{options.count} files, {faults} errors that changed a pipeline, outputs that differ: {other or 'none'}")
    return 1 if faults or other else 0


if __name__ == "__main__":
    sys.exit(main())
