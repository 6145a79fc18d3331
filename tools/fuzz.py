"""Give mindone_tcd bad input of every kind, and count the outcomes.

    python tools/fuzz.py --seconds 300              # all families in turn
    python tools/fuzz.py --count 10000 --family requests --family records
    python tools/fuzz.py --list

The package must accept an input ("taken") or refuse it with a one-line ``UsageError`` (exit status 2 of the command).
Every other outcome is a fault:

- ``traceback``: another exception
- ``hang``: no answer within 5 seconds (60 for the families that load a model)
- ``import``: the input caused an import or an opened file that is not on the allowed list
- ``changed``: a refused adapter file changed the pipeline

The same seed gives the same inputs. The exit status is 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "fuzzing")]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MINDONE_TCD_CACHE", "off")

import families  # noqa: E402
import outcomes  # noqa: E402


def outcome(case: families.Case, seconds: int) -> tuple[str, str]:
    """The outcome of one input ("taken", "refused" or a fault), and its message."""
    families.opened.clear()
    found = outcomes.outcome(case.run, seconds, {families.Changed: "changed"})
    return ("import", ", ".join(families.opened)) if families.opened else found


def in_turn(streams: dict[str, Iterator[families.Case]]) -> Iterator[tuple[str, families.Case]]:
    while True:
        for name, stream in streams.items():
            yield name, next(stream)


def main(argv: list[str] | None = None) -> int:
    """Run the families. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="stop after this time (default: 60, without --count)")
    parser.add_argument("--count", type=int, help="stop after this many inputs")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the inputs (default: 0)")
    parser.add_argument("--family", action="append", choices=families.FAMILIES, help="one family; can be repeated")
    parser.add_argument("--list", action="store_true", help="list the families and stop")
    parser.add_argument("--verbose", action="store_true", help="print each input and its outcome")
    args = parser.parse_args(argv)
    if args.list:
        for name, family in families.FAMILIES.items():
            print(f"{name:12} {family.__doc__.splitlines()[0]}")
        return 0
    warnings.simplefilter("ignore")
    sys.addaudithook(families.note)
    end = time.monotonic() + (args.seconds or (60 if args.count is None else 10**9))
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    faults = total = 0
    with tempfile.TemporaryDirectory() as top:
        names = args.family or list(families.FAMILIES)
        streams = {}
        for name in names:
            folder = Path(top) / name
            folder.mkdir()
            streams[name] = families.FAMILIES[name](args.seed, folder)
        for name, case in in_turn(streams):
            if time.monotonic() > end or (args.count is not None and total >= args.count):
                break
            kind, message = outcome(case, 60 if name in families.SLOW else 5)
            counts[name, kind] += 1
            total += 1
            fault = kind not in ("taken", "refused")
            faults += fault
            if fault or args.verbose:
                print(f"{kind} ({name}): {case.name[:200]!r}: {message[:300]}", flush=True)
    for (name, kind), count in sorted(counts.items()):
        print(f"{name:12} {kind:10} {count:7}")
    print(f"{total} inputs, {faults} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
