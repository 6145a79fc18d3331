"""A process that runs one side of a comparison.

A side has its own process, so that its memory and the time of its first image are its own, and so that the threads of
one side do not compete with those of the other. Between its turns a process waits and uses no processor time.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..files.hub import chosen
from ..generate.request import Request
from .sides import Side

SHORT = 1.0
"""Seconds. A shorter image is generated three times in a turn, because the first one wakes up the threads."""

_PATIENCE = 30.0
"""Seconds that an idle process has to end before it is terminated."""


@dataclass(frozen=True)
class Drawn:
    """The result of a request.

    Attributes:
        seconds: the median time of its generation.
        processor: the median time that all threads together used a processor.
        pixels: uint8 (H, W, 3).
        record: the record of the image.
    """

    seconds: float
    processor: float
    pixels: np.ndarray
    record: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """What a process measured of itself.

    Attributes:
        peak: the largest memory that it used, in bytes.
        parameters: the bytes of the weights that it held, for each network; empty if the networks do not tell.
        files: the bytes of the files of quantized networks, for each network.
    """

    peak: int
    parameters: dict[str, int]
    files: dict[str, int]


class SideProcess:
    """A process with the pipeline of a side; a context, which ends the process.

    Args:
        side: the side.

    Raises:
        UsageError: if the side cannot be loaded because of an argument.
        RuntimeError: if the process fails for another reason; the message has its traceback.
    """

    def __init__(self, side: Side) -> None:
        self._started = time.perf_counter()
        context = multiprocessing.get_context("spawn")  # a forked child cannot use MindSpore
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, side, chosen()), daemon=True)
        self._process.start()
        other.close()
        try:
            self._receive()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> SideProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()  # the process ends when it notices
        if not any(error):
            self._process.join(_PATIENCE)
        self._process.terminate()
        self._process.join()

    @property
    def age(self) -> float:
        """The seconds since the process was started."""
        return time.perf_counter() - self._started

    def draw(self, request: Request, timed: bool = True) -> Drawn:
        """Generate the first image of a request.

        Args:
            request: the request.
            timed: whether a short image is generated several times, for a median.
        """
        self._connection.send(("draw", request, timed))
        return self._receive()

    def end(self) -> Ended:
        """Return what the process measured of itself."""
        self._connection.send(("end",))
        return self._receive()

    def _receive(self) -> Any:
        try:
            kind, value = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            hint = "; the system ended it, perhaps because the memory is full" if code == -9 else ""
            raise RuntimeError(f"the process of a side ended with exit code {code}{hint}") from None
        if kind == "usage":
            raise UsageError(value)
        if kind == "failed":
            raise RuntimeError(value)
        return value


def _serve(connection: Connection, side: Side, hub: str) -> None:
    os.environ.setdefault("GLOG_v", "3")  # MindSpore: errors, but no warnings
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    with contextlib.redirect_stdout(io.StringIO()):  # libraries print when they are imported
        try:
            from ..generate.loading import load

            if not side.exported:  # an exported pipeline runs without mindone
                _silence()
            pipe = load(side.task, side.model, hub=hub, **side.load_arguments())
            pipe.pipeline.set_progress_bar_config(disable=True)
            if side.fused and not side.exported:
                pipe.pipeline.fuse_lora()
            connection.send(("loaded", None))
            for command, *given in _commands(connection):
                value = _draw(pipe, *given) if command == "draw" else _ended(pipe.pipeline, side)
                connection.send((command, value))
        except (EOFError, KeyboardInterrupt, BrokenPipeError):
            return
        except UsageError as error:
            connection.send(("usage", str(error)))
        except BaseException as error:
            last = (str(error).strip().splitlines() or [""])[-1]
            connection.send(("failed", f"{type(error).__name__}: {last}\n{traceback.format_exc()}"))


def _silence() -> None:
    """Switch off the progress bars of loading, if mindone is in use."""
    import mindone.diffusers.utils.logging

    mindone.diffusers.utils.logging.disable_progress_bar()


def _commands(connection: Connection) -> Iterator[tuple]:
    while True:
        yield connection.recv()


def _draw(pipe: Any, request: Request, timed: bool) -> Drawn:
    seconds: list[float] = []
    processor: list[float] = []
    while not seconds or (timed and seconds[0] < SHORT and len(seconds) < 3):
        started, used = time.perf_counter(), time.process_time()
        (image,) = next(iter(pipe.batches(request)))
        pixels = np.asarray(image.image.convert("RGB"), np.uint8)
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return Drawn(statistics.median(seconds), statistics.median(processor), pixels, image.record)


def _ended(pipeline: Any, side: Side) -> Ended:
    peak = _peak()
    if side.exported:
        return Ended(peak, {}, {})
    return Ended(peak, _parameters(pipeline), _files(pipeline) if side.quantize else {})


def _peak() -> int:
    """Return the largest resident memory of this process, in bytes."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/self/status", encoding="ascii") as lines:
        # Unlike that of getrusage, this maximum does not include the process that started this one.
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    import resource  # missing on Windows

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _parameters(pipeline: Any) -> dict[str, int]:
    found = {}
    for name, part in pipeline.components.items():
        if hasattr(part, "get_parameters"):
            found[name] = sum(value.size * value.itemsize for value in part.get_parameters())
    return found


def _files(pipeline: Any) -> dict[str, int]:
    """Write the quantized networks to temporary files; return their bytes."""
    from ..quantize.files import save
    from ..quantize.network import networks_of

    found = {}
    with tempfile.TemporaryDirectory(prefix="mindone-tcd-") as folder:
        for name, network in networks_of(pipeline).items():
            path = Path(folder) / f"{name}.safetensors"
            save(network, path)
            found[name] = path.stat().st_size
            path.unlink()
    return found
