"""Contestants that take turns, each framework in a process of its own.

Two frameworks in one process disturb each other: the worker threads of one spin while the other computes, which costs
a small model a factor of ten. So every contestant lives in a process that sleeps until it is its turn. Absolute times
mean little on a shared machine; the ratios of medians of turns taken in one run do.
"""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import platform
import resource
import statistics
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

THREADS = 2


def machine(*packages: str) -> str:
    """Two lines: versions of the packages, and the machine."""
    found = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    with open("/proc/cpuinfo") as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{', '.join(found)}\n{models[0]}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _serve(connection: Any, make: Callable[..., Mapping[str, Callable[[], object]]], arguments: tuple) -> None:
    try:
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

    def close(self) -> float:
        """End the process; its peak memory in MB."""
        self._connection.send(None)
        peak = self._receive("peak")
        self._process.join()
        return peak


def medians(contestants: list[Contestant], rounds: int = 5, warm: int = 1) -> dict[str, float]:
    """Median seconds of everything that the contestants run; in each round all take one turn.

    Before it counts, a turn is run once more, to wake the threads of that process up.
    """
    times: dict[str, list[float]] = {}
    for turn in range(rounds + warm):
        for contestant in contestants:
            for name in contestant.names:
                if turn >= warm:
                    contestant.run(name)
                seconds, _ = contestant.run(name)
                if turn >= warm:
                    times.setdefault(name, []).append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}
