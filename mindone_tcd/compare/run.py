"""Run a whole comparison: check everything, measure, and write the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..environment import require_mindspore
from ..errors import UsageError
from ..generate.loaded import read_inputs
from ..generate.plan import plan
from ..generate.request import Request, request_for
from ..generate.setup import Setup
from ..shapes.grammar import Scene
from . import FILES, JUDGED, TIMED, metrics, report
from .folder import output_folder, write_folder
from .measure import Measured, measure
from .prompts import general, in_other_colors, scenes_of, shape_of, unseen_scenes
from .sides import Side
from .sizes import sizes_on_disk

MOST_PROMPTS = 4096
MOST_STARTS = 100


def compare(
    sides: Sequence[Side],
    *,
    call: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    prompts: Sequence[str] | None = None,
    timed: int = TIMED,
    judged: int | None = None,
    starts: int = 1,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Path, str]:
    """Compare ways to run a model, and write the report.

    Args:
        sides: the sides; the others are compared with the first.
        call: ``negative_prompt``, ``steps``, ``guidance_scale``, ``eta`` and ``size`` of all calls.
        inputs: the other arguments of all calls, such as ``control``.
        prompts: the prompts; None for the usual ones of the model.
        timed: how many prompts are timed.
        judged: how many prompts are compared; None for 96 where the judge applies, and otherwise for the timed ones.
        starts: how many processes of each side are started for the time of the first image.
        seed: the seed of the first prompt; the following prompts have the following numbers.
        out: the folder to write, new or empty; None for a new name.
        command: the command line, for the report.
        say: receives lines about the progress.

    Returns:
        The folder, and the report in Markdown.

    Raises:
        UsageError: if an argument is invalid, before any work.
        RuntimeError: if the process of a side fails.
    """
    metrics.require_scikit_image()
    require_mindspore()
    for name, value, most in (("prompts", timed, MOST_PROMPTS), ("starts", starts, MOST_STARTS)):
        _check_count(value, name, most)
    setups = [plan(side.task, side.model, side.method, side.lora, side.extras) for side in sides]
    if any(setup.animated for setup in setups):
        raise UsageError("a comparison needs images, but the task animate makes clips; choose another task")
    given = [read_inputs(setup, dict(inputs or {})) for setup in setups]
    asked, scenes = _prompts(setups[0], given[0], prompts, timed, judged)
    requests = [
        [
            request_for(
                setup,
                prompt,
                seed=seed + k,
                inputs=read,
                **(call or {}),
            )
            for k, prompt in enumerate(asked)
        ]
        for setup, read in zip(setups, given, strict=True)
    ]
    _check_sizes(requests)
    folder = output_folder(out)
    found = measure(sides, requests, min(timed, len(asked)), starts, say)
    result = _compared(found, requests[0], min(timed, len(asked)), setups, scenes)
    text = report.markdown(result, command)
    content: list[str | Image.Image] = [
        text,
        report.as_json(result, command),
        report.sheet(result),
        report.plot(result),
    ]
    write_folder(folder, dict(zip(FILES, content, strict=True)))
    return folder, text


def _prompts(
    setup: Setup, inputs: Any, given: Sequence[str] | None, timed: int, judged: int | None
) -> tuple[list[str], list[Scene] | None]:
    """Return the prompts, and what the judge expects for each; None if it does not apply."""
    if judged is not None:
        _check_count(judged, "judged", MOST_PROMPTS)
    count = max(timed, JUDGED if judged is None else judged)
    if given is not None:
        if judged is not None and len(given) < judged:
            raise UsageError(f"judged is {judged}, but there are only {len(given)} prompts; add some, or judge fewer")
        prompts = list(given) if judged is None else list(given)[:count]
    elif setup.model.shipped:
        shape = shape_of(inputs)
        prompts = unseen_scenes(count)[1] if shape is None else in_other_colors(shape, count)
    else:
        prompts = general(count)
    scenes = scenes_of(setup, inputs, prompts)
    if scenes is None:
        if judged is not None:
            raise UsageError(
                "the judge does not apply: it needs a model of the package without styles, and text-to-image or one "
                "control image, which shows the shape of the prompts; leave out the number of judged prompts"
            )
        if given is None:
            prompts = prompts[:timed]
    return prompts, scenes


def _check_count(value: int, name: str, most: int) -> None:
    if not 1 <= value <= most:
        raise UsageError(f"{name} is {value}; expected an integer from 1 to {most}")


def _check_sizes(requests: Sequence[Sequence[Request]]) -> None:
    """Check that all sides generate images of one size, which the metrics can compare.

    Raises:
        UsageError: if not.
    """
    sizes = list(dict.fromkeys((each[0].width, each[0].height) for each in requests))
    texts = [f"{width}x{height}" for width, height in sizes]
    if len(sizes) > 1:
        raise UsageError(f"the sides generate images of {texts[0]} and {texts[1]}; pass one size for all")
    if min(sizes[0]) < metrics.LEAST_SIDE:
        raise UsageError(f"images of {texts[0]} are too small for SSIM, which needs {metrics.LEAST_SIDE} pixels a side")


def _compared(
    found: list[Measured], requests: Sequence[Request], timed: int, setups: Sequence[Setup], scenes: list[Scene] | None
) -> report.Comparison:
    first = found[0].images
    return report.Comparison(
        found,
        requests,
        timed,
        [sizes_on_disk(setup, one.files) for one, setup in zip(found, setups, strict=True)],
        [None if scenes is None else metrics.judged(one.images, scenes) for one in found],
        [None, *(metrics.similarity(first, one.images) for one in found[1:])],
    )
