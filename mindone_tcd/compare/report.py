"""The report of a comparison: a table in Markdown, the same numbers in JSON, a sheet of images and a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..generate.contact_sheet import contact_sheet
from ..generate.request import Request
from .measure import Measured
from .metrics import Judged, Similarity
from .plot import Bars, bar_plot

MOST_COLUMNS = 8
"""The number of prompts on the sheet of images."""

GAIN = 8
"""The factor by which the sheet multiplies differences of pixels."""

_MB = 1e6


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison. The lists have an item for each side.

    Attributes:
        sides: the measured sides, the first one to compare with.
        requests: the requests of the first side, one for each prompt.
        timed: the number of prompts that were timed.
        disk: the bytes of each network's files; empty if unknown.
        judged: how many images the judge accepts; None if it does not apply.
        similarity: the similarity to the first side; None for the first.
    """

    sides: Sequence[Measured]
    requests: Sequence[Request]
    timed: int
    disk: Sequence[dict[str, int]]
    judged: Sequence[Judged | None]
    similarity: Sequence[Similarity | None]

    @property
    def labels(self) -> list[str]:
        return [side.label for side in self.sides]


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        title: what was measured, with its unit.
        values: the value of each side; None for none.
        texts: the same as texts.
        relative: whether the ratios to the first side say something.
    """

    title: str
    values: tuple[float | None, ...]
    texts: tuple[str, ...]
    relative: bool = False


def lines_of(found: Comparison) -> list[Line]:
    """Return the lines of the table. Measures that no side has are left out."""
    rows = [
        _line("seconds per image", [statistics.median(one.seconds) for one in found.sides], "{:.3f}", True),
        _line("processor seconds per image", [statistics.median(one.processor) for one in found.sides], "{:.3f}", True),
        _line("first image, seconds", [statistics.median(one.first) for one in found.sides], "{:.1f}", True),
        _line("networks on disk, MB", [sum(sizes.values()) / _MB or None for sizes in found.disk], "{:.1f}", True),
        _line(
            "weights in memory, MB", [sum(one.parameters.values()) / _MB or None for one in found.sides], "{:.1f}", True
        ),
        _line("peak memory, MB", [one.peak / _MB for one in found.sides], "{:.0f}", True),
        _line("right, %", [_share(one, "right") for one in found.judged], "{:.1f}"),
        _line("right at 0.9, %", [_share(one, "strict") for one in found.judged], "{:.1f}"),
        _line("PSNR, median, dB", _each(found, lambda one: statistics.median(one.psnr)), "{:.1f}"),
        _line("PSNR, lowest, dB", _each(found, lambda one: min(one.psnr)), "{:.1f}"),
        _line("SSIM, mean", _each(found, lambda one: statistics.fmean(one.ssim)), "{:.4f}"),
        _line("SSIM, lowest", _each(found, lambda one: min(one.ssim)), "{:.4f}"),
        _line("mean difference of pixels, of 255", _each(found, lambda one: one.mean), "{:.3f}"),
        _line("largest difference, of 255", _each(found, lambda one: one.largest), "{:.0f}"),
    ]
    return [row for row in rows if any(value is not None for value in row.values)]


def _each(found: Comparison, measure: Callable[[Similarity], float]) -> list[float | None]:
    return [None if one is None else measure(one) for one in found.similarity]


def _share(judged: Judged | None, what: str) -> float | None:
    return None if judged is None else 100 * getattr(judged, what) / judged.images


def _line(title: str, values: Sequence[float | None], form: str, relative: bool = False) -> Line:
    texts = ["–" if v is None else "equal" if math.isinf(v) else form.format(v) for v in values]
    return Line(title, tuple(values), tuple(texts), relative)


def ratio(line: Line, side: int) -> float | None:
    """Return a side's value relative to the first side's; None where there is none."""
    value, base = line.values[side], line.values[0]
    return value / base if line.relative and value is not None and base else None


def markdown(found: Comparison, command: str) -> str:
    """Return the report as a Markdown text."""
    labels = found.labels
    others = range(1, len(labels))
    ratios = [f"{labels[k]} / {labels[0]}" for k in others]
    rows = [["", *labels, *ratios]]
    for line in lines_of(found):
        values = [ratio(line, k) for k in others]
        rows.append([line.title, *line.texts, *("" if value is None else f"{value:.2f}" for value in values)])
    table = [f"| {' | '.join(_cell(text) for text in row)} |" for row in rows]
    table.insert(1, "|---" * len(rows[0]) + "|")
    first = found.requests[0]
    settings = [
        f"{first.width}x{first.height} pixels",
        f"{first.steps} steps",
        f"guidance {first.guidance_scale:g}",
        f"seeds from {first.seeds[0]}",
    ]
    return "\n".join(
        [
            f"# {' and '.join(labels)}",
            "",
            *table,
            "",
            f"- {', '.join(settings)}.",
            f"- Times: medians of {found.timed} prompts; the sides alternate. Compare only the ratios of one run.",
            f"- First image: from the start of the process; median of {len(found.sides[0].first)}.",
            f"- Images: {len(found.requests)} prompts with the same seeds. PSNR, SSIM and differences: from "
            f"{labels[0]}.",
            *_file_note(found),
            *_judge_note(found),
            f"- {_machine()}; {', '.join(f'{name} {version}' for name, version in _versions(found).items())}.",
            "",
            f"    {command}",
            "",
            "![Images of the same prompts and seeds](sheet.png)",
            "",
            f"![Bars relative to {_cell(labels[0])}](plot.png)",
            "",
        ]
    )


def _file_note(found: Comparison) -> list[str]:
    if not any(one.files for one in found.sides):
        return []
    return ["- Networks on disk: quantized networks as files, without the float files that they were loaded from."]


def _judge_note(found: Comparison) -> list[str]:
    judged = found.judged[0]
    if judged is None:
        return []
    return [
        f"- Right: images of {judged.images} that show the shape, the colors and the arrangement of the prompt, at an "
        "overlap with the ideal shape of 0.8."
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores"


def _versions(found: Comparison) -> dict[str, str]:
    return found.sides[0].record.get("versions", {})


def as_json(found: Comparison, command: str) -> str:
    """Return all numbers as JSON. A PSNR of equal images is null."""
    lines = lines_of(found)
    content: dict[str, Any] = {
        "command": command,
        "machine": _machine(),
        "versions": _versions(found),
        "prompts": [{"prompt": each.prompt, "seed": each.seeds[0]} for each in found.requests],
        "timed": found.timed,
        "table": [
            {
                "measure": line.title,
                "values": [_finite(value) for value in line.values],
                "ratios": [ratio(line, k) for k in range(len(line.values))] if line.relative else None,
            }
            for line in lines
        ],
        "sides": [_side_as_json(found, k) for k in range(len(found.sides))],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _side_as_json(found: Comparison, k: int) -> dict[str, Any]:
    one, judged, alike = found.sides[k], found.judged[k], found.similarity[k]
    return {
        "label": one.label,
        "record": one.record,
        "seconds": one.seconds,
        "processor_seconds": one.processor,
        "first_image_seconds": one.first,
        "bytes_on_disk": found.disk[k],
        "bytes_of_weights_in_memory": one.parameters,
        "peak_bytes": one.peak,
        "judged": judged and {"images": judged.images, "right": judged.right, "right_at_0.9": judged.strict},
        "similarity": alike
        and {
            "psnr": [_finite(value) for value in alike.psnr],
            "ssim": list(alike.ssim),
            "equal_images": alike.equal,
            "mean_difference": alike.mean,
            "largest_difference": alike.largest,
        },
    }


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def sheet(found: Comparison) -> Image.Image:
    """Return a row of images for each side, and below the other sides their differences from the first, amplified."""
    count = min(MOST_COLUMNS, len(found.requests))
    rows = [one.images[:count] for one in found.sides]
    names = [*found.labels, *(f"difference x {GAIN}" for _ in rows[1:])]
    for images in rows[1 : len(found.sides)]:
        away = [np.abs(a.astype(np.int16) - b) for a, b in zip(rows[0], images, strict=True)]
        rows.append([(255 - (GAIN * each).clip(0, 255)).astype(np.uint8) for each in away])
    if len(found.sides) > 2:
        names[len(found.sides) :] = [f"{label}: {names[-1]}" for label in found.labels[1:]]
    columns = [f"{each.prompt} (seed {each.seeds[0]})" for each in found.requests[:count]]
    pictures = [[Image.fromarray(image) for image in row] for row in rows]
    return contact_sheet(pictures, [_plain(name) for name in names], [_plain(text) for text in columns])


def _plain(text: str) -> str:
    """Return the text in printable ASCII, which contact sheets need."""
    return "".join(character if character.isascii() and character.isprintable() else "?" for character in text)


def plot(found: Comparison) -> Image.Image:
    """Return the bars of all measures that have ratios."""
    groups = [Bars(line.title, line.values, _with_ratios(line)) for line in lines_of(found) if line.relative]
    return bar_plot(found.labels, groups, f"relative to {found.labels[0]} (shorter is better)")


def _with_ratios(line: Line) -> tuple[str, ...]:
    texts = []
    for k, text in enumerate(line.texts):
        value = ratio(line, k) if k else None
        texts.append(text if value is None else f"{text} ({value:.2f} ×)")
    return tuple(texts)
