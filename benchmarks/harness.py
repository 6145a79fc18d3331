"""Contestants that take turns, each framework in a process of its own.

Two frameworks in one process disturb each other: the worker threads of one spin while the other computes, which costs
a small model a factor of ten. So every contestant lives in a process that sleeps until it is its turn. Absolute times
mean little on a shared machine; the ratios of medians of turns taken in one run do.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

THREADS = 2


def machine(*packages: str) -> str:
    """Two lines: versions of the packages; the machine, and how busy it is with other things."""
    found = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    with open("/proc/cpuinfo") as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    load = f"{os.getloadavg()[0]:.1f} processes running"
    return f"{', '.join(found)}\n{models[0]}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"


def _serve(connection: Any, make: Callable[..., Mapping[str, Callable[[], object]]], arguments: tuple) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # libraries print there while they are imported
            runs = make(*arguments)
        connection.send(("ready", list(runs)))
    except BaseException:
        connection.send(("failed", traceback.format_exc()))
        return
    while True:
        name = connection.recv()
        if name is None:
            connection.send(("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
            return
        try:
            started = time.perf_counter()
            value = runs[name]()
            connection.send(("done", (time.perf_counter() - started, value)))
        except BaseException:
            connection.send(("failed", traceback.format_exc()))


class Contestant:
    """A process that holds one framework and runs what it is asked to.

    Args:
        make: a function of a module (it is imported there again) that returns what can be run, by name. Each function
            must wait for its result before it returns.
        arguments: for `make`.
        environment: variables for the process.
    """

    def __init__(self, make: Callable, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        before = dict(os.environ)
        os.environ.update({"GLOG_v": "3", "OMP_NUM_THREADS": str(THREADS), **(environment or {})})
        try:
            self._process = context.Process(target=_serve, args=(other, make, arguments), daemon=True)
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        other.close()
        self.names: list[str] = self._receive("ready")

    def _receive(self, expected: str) -> Any:
        try:
            kind, value = self._connection.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the contestant's process ended with exit code {self._process.exitcode}") from None
        if kind != expected:
            raise RuntimeError(value)
        return value

    def run(self, name: str) -> tuple[float, Any]:
        """Seconds that one run took, and what it returned."""
        self._connection.send(name)
        return self._receive("done")

    def timed(self, name: str) -> float:
        """Seconds of one run; below a second the median of four that follow, as the first wakes the threads up."""
        seconds, _ = self.run(name)
        return seconds if seconds >= 1 else statistics.median(self.run(name)[0] for _ in range(4))

    def close(self) -> float:
        """End the process; its peak memory in MB."""
        self._connection.send(None)
        peak = self._receive("peak")
        self._process.join()
        return peak


def medians(contestants: list[Contestant], rounds: int = 5, warm: int = 1) -> dict[str, float]:
    """Median seconds of everything that the contestants run; in each round all take one turn."""
    times: dict[str, list[float]] = {}
    for turn in range(rounds + warm):
        for contestant in contestants:
            for name in contestant.names:
                if turn < warm:
                    contestant.run(name)
                else:
                    times.setdefault(name, []).append(contestant.timed(name))
    return {name: statistics.median(values) for name, values in times.items()}


Entry = tuple[Callable[..., Mapping[str, Callable[[], object]]], Sequence[object]]
"""What makes a contestant, and its arguments."""


@dataclass
class Result:
    """What a contestant did.

    Attributes:
        first: seconds of its first run.
        value: what that returned.
        seconds: the median of the runs that followed.
        peak: of its memory, in MB.
        notes: what the contestant can tell besides, by name.
    """

    first: float
    value: Any
    seconds: float
    peak: float
    notes: dict[str, Any]


def compare(entries: Mapping[str, Entry], rounds: int = 5, apart: bool = False) -> dict[str, Result]:
    """Measure the first thing that each contestant can run.

    Graphs that one contestant compiles are on the disk for those after it; what earlier runs have left there is not.

    Args:
        entries: contestants, by name.
        rounds: how many turns each takes.
        apart: one contestant after the other, for models of which two do not fit into memory, in place of alternating.
    """
    with tempfile.TemporaryDirectory(prefix="mindone-tcd-graphs-") as graphs:
        groups = [dict([one]) for one in entries.items()] if apart else [entries]
        return {name: one for group in groups for name, one in _compare(group, rounds, graphs).items()}


def _compare(entries: Mapping[str, Entry], rounds: int, graphs: str) -> dict[str, Result]:
    fresh = {"MINDONE_TCD_CACHE": graphs}
    contestants = {name: Contestant(make, *given, environment=fresh) for name, (make, given) in entries.items()}
    firsts = {name: contestant.run(contestant.names[0]) for name, contestant in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in entries}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            times[name].append(contestant.timed(contestant.names[0]))
    results = {}
    for name, contestant in contestants.items():
        notes = {note: contestant.run(note)[1] for note in contestant.names[1:]}
        first, value = firsts[name]
        results[name] = Result(first, value, statistics.median(times[name]), contestant.close(), notes)
    return results


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of all that calls `compare`."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--openvino", action="store_true", help="OpenVINO as well; needs the [openvino] extra")
    parser.add_argument("--apart", action="store_true", help="one contestant after the other, for want of memory")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="contestants whose name begins so; torch always takes part"
    )


def chosen(entries: Mapping[str, Entry], options: argparse.Namespace) -> dict[str, Entry]:
    """The contestants that the options ask for, torch first, OpenVINO last."""
    return {
        name: entry
        for name, entry in entries.items()
        if name.startswith(("torch", *options.only)) and (options.openvino or not name.startswith("OpenVINO"))
    }


def conditions(options: argparse.Namespace) -> str:
    """Versions, machine, and how the contestants take turns."""
    found = machine("mindspore", "mindone", "torch", "diffusers", *(["openvino"] if options.openvino else []))
    how = "one contestant after the other" if options.apart else "alternating"
    return f"{found}\nmedians of {options.rounds} rounds, {how}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in markdown."""
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    print()


def comparison(
    what: str, unit: str, results: Mapping[str, Result], more: Mapping[str, Callable[[Result, Result], str]]
) -> None:
    """Print the table of what `compare` gave, torch's among it.

    Args:
        what: was measured.
        unit: of its time, ms or s.
        results: as `compare` returns them.
        more: further columns: the head, and what makes a cell of a result and torch's.
    """
    expected = results["torch, eager"]
    time = {"ms": lambda seconds: f"{1e3 * seconds:.1f}", "s": lambda seconds: f"{seconds:.3f}"}[unit]
    table(
        (what, unit, "times torch", "first, s", "peak memory, MB", *more),
        [
            (
                name + "".join(f" ({note})" for note in result.notes.values()),
                time(result.seconds),
                f"{result.seconds / expected.seconds:.2f}",
                f"{result.first:.1f}",
                f"{result.peak:.0f}",
                *(cell(result, expected) for cell in more.values()),
            )
            for name, result in results.items()
        ],
    )
