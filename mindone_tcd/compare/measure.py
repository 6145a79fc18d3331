"""Run the sides of a comparison in turns, each in its own process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UsageError
from ..generate.request import Request
from .sides import Side, labels
from .worker import Drawn, SideProcess


@dataclass
class Measured:
    """What a comparison measured of a side.

    Attributes:
        side: the side.
        label: its short name.
        first: seconds from the start of a process to its first image, for each process.
        seconds: seconds for each timed prompt.
        processor: the processor time of each timed prompt, in seconds.
        images: uint8 (H, W, 3), one for each prompt.
        peak: the largest memory of the process that generated the images, in bytes.
        parameters: bytes of the weights in memory, for each network; empty if unknown.
        files: bytes of the files of quantized networks, for each network.
        record: the record of the first image.
    """

    side: Side
    label: str = ""
    first: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    peak: int = 0
    parameters: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


def measure(
    sides: Sequence[Side],
    requests: Sequence[Sequence[Request]],
    timed: int,
    starts: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> list[Measured]:
    """Generate the images of all sides.

    In each round, each side generates the image of one prompt; every second round starts with the last side.

    Args:
        sides: the sides.
        requests: for each side, a request for each prompt.
        timed: how many of the prompts are timed, the first ones.
        starts: how many processes of each side are started for the time of the first image.
        say: receives a line about the progress.

    Raises:
        UsageError: if a side cannot be loaded because of an argument.
        RuntimeError: if a process fails.
    """
    found = [Measured(side) for side in sides]
    for turn in range(starts - 1):
        for one, asked in zip(found, requests, strict=True):
            say(f"start {turn + 1} of {starts}: {one.side.model}")
            with SideProcess(one.side) as process:
                process.draw(asked[0], timed=False)
                one.first.append(process.age)
    with contextlib.ExitStack() as stack:
        processes = []
        for one, asked in zip(found, requests, strict=True):
            say(f"start {starts} of {starts}: {one.side.model}")
            process = stack.enter_context(SideProcess(one.side))
            drawn = process.draw(asked[0], timed=False)
            one.first.append(process.age)
            one.record = drawn.record
            processes.append(process)
        for one, label in zip(found, labels(sides, [one.record for one in found]), strict=True):
            one.label = label
        count = len(requests[0])
        for k in range(count):
            turns = list(zip(found, processes, requests, strict=True))
            for one, process, asked in turns if k % 2 == 0 else reversed(turns):
                _keep(one, process.draw(asked[k], timed=k < timed), timed=k < timed)
            if (k + 1) % 10 == 0 or k + 1 == count:
                say(f"{k + 1} of {count} prompts")
        for one, process in zip(found, processes, strict=True):
            ended = process.end()
            one.peak, one.parameters, one.files = ended.peak, ended.parameters, ended.files
    return found


def _keep(one: Measured, drawn: Drawn, timed: bool) -> None:
    if one.images and drawn.pixels.shape != one.images[0].shape:
        raise UsageError("the images of a side have several sizes; pass one size with --size")
    one.images.append(drawn.pixels)
    if timed:
        one.seconds.append(drawn.seconds)
        one.processor.append(drawn.processor)
