"""Run the sides of a comparison alternately, each framework in its own process.

Two frameworks in one process disturb each other: the worker threads of one spin while the other computes, which makes
a small model ten times slower. Therefore each side (a contestant) has a process that sleeps until its turn. On a shared
machine, absolute times say little. Compare the ratios of medians from one run.
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
    """Two lines: the versions of the packages; the machine and its load."""
    found = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    with open("/proc/cpuinfo") as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    load = f"{os.getloadavg()[0]:.1f} processes running"
    return f"{', '.join(found)}\n{models[0]}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"


def _serve(connection: Any, make: Callable[..., Mapping[str, Callable[[], object]]], arguments: tuple) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # libraries print when they are imported
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
    """A process with one framework, which runs functions by name.

    Args:
        make: a function of a module, which the process imports again. It returns the functions to run, by name. Each
            of them must wait for its result before it returns.
        arguments: the arguments of `make`.
        environment: environment variables for the process.
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
        """The seconds and the result of one run."""
        self._connection.send(name)
        return self._receive("done")

    def timed(self, name: str) -> float:
        """Seconds of one run. Below a second: the median of four more runs, as the first one wakes up the threads."""
        seconds, _ = self.run(name)
        return seconds if seconds >= 1 else statistics.median(self.run(name)[0] for _ in range(4))

    def close(self) -> float:
        """End the process; its peak memory in MB."""
        self._connection.send(None)
        peak = self._receive("peak")
        self._process.join()
        return peak


def medians(contestants: list[Contestant], rounds: int = 5, warm: int = 1) -> dict[str, float]:
    """Median seconds of all functions of the contestants. In each round, each contestant has one turn."""
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
"""The function that creates a contestant, and its arguments."""


@dataclass
class Result:
    """The measurements of a contestant.

    Attributes:
        first: the seconds of its first run.
        value: the result of its first run.
        seconds: the median of the following runs.
        peak: its peak memory, in MB.
        notes: further results of the contestant, by name.
    """

    first: float
    value: Any
    seconds: float
    peak: float
    notes: dict[str, Any]


def compare(entries: Mapping[str, Entry], rounds: int = 5, apart: bool = False) -> dict[str, Result]:
    """Measure the first function of each contestant.

    A contestant can load the graphs that earlier contestants of this run stored on disk, but not those of earlier runs.

    Args:
        entries: contestants, by name.
        rounds: the number of turns of each contestant.
        apart: run one contestant after the other instead of alternating, for models that do not fit into memory twice.
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
    """Add the options of all scripts that call `compare`."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--openvino", action="store_true", help="also OpenVINO; needs the [openvino] extra")
    parser.add_argument("--apart", action="store_true", help="one contestant after the other, to save memory")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="contestants whose name begins with this text; torch is always included"
    )


def chosen(entries: Mapping[str, Entry], options: argparse.Namespace) -> dict[str, Entry]:
    """The selected contestants, torch first, OpenVINO last."""
    return {
        name: entry
        for name, entry in entries.items()
        if name.startswith(("torch", *options.only)) and (options.openvino or not name.startswith("OpenVINO"))
    }


def conditions(options: argparse.Namespace) -> str:
    """Versions, machine, and the order of the contestants' turns."""
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
    """Print the table of the results of `compare`.

    Args:
        what: the name of the measured operation.
        unit: the unit of the time, ms or s.
        results: the results of `compare`, including torch's.
        more: further columns: the header, and a function from a result and torch's result to the cell.
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
