"""The table, the JSON file, the sheet and the plot of two measured sides."""

import json
import math

import numpy as np
import pytest

from mindone_tcd.compare import report
from mindone_tcd.compare.measure import Measured
from mindone_tcd.compare.metrics import Judged, Similarity
from mindone_tcd.compare.sides import Side
from mindone_tcd.generate.request import Request

BASE = Side("text-to-image", "shapes", "tcd")


def requests(*prompts: str) -> list[Request]:
    return [Request(prompt, None, (5 + k,), 4, 0.0, 0.3, 64, 48) for k, prompt in enumerate(prompts)]


@pytest.fixture
def found():
    images = [np.full((48, 64, 3), 200, np.uint8) for _ in range(3)]
    changed = [images[0], images[1] - 2, images[2]]
    sides = [
        Measured(BASE, "float32", [10.0], [2.0, 3.0, 4.0], [4.0, 5.0, 6.0], images, 2_000_000_000, {"unet": 4_000_000}),
        Measured(BASE, "int8", [8.0], [1.5, 1.4, 1.6], [2.5, 2.5, 2.5], changed, 1_000_000_000, {"unet": 1_000_000}),
    ]
    sides[0].record = {"versions": {"mindspore": "2.7.1"}}
    return report.Comparison(
        sides,
        requests("a | b", "名", "c"),
        3,
        [{"unet": 2_000_000}, {}],
        [Judged(3, 3, 2), Judged(3, 2, 2)],
        [None, Similarity((math.inf, 42.0, math.inf), (1.0, 0.98, 1.0), 0.5, 2)],
    )


def rows(text: str) -> dict[str, list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    return {row[0]: row[1:] for row in cells}


def test_the_table(found):
    text = report.markdown(found, "mindone-tcd compare --against int8")
    assert rows(text) == {
        "": ["float32", "int8", "int8 / float32"],
        "---": ["---"] * 3,
        "seconds per image": ["3.000", "1.500", "0.50"],
        "processor seconds per image": ["5.000", "2.500", "0.50"],
        "first image, seconds": ["10.0", "8.0", "0.80"],
        "networks on disk, MB": ["2.0", "–", ""],
        "weights in memory, MB": ["4.0", "1.0", "0.25"],
        "peak memory, MB": ["2000", "1000", "0.50"],
        "right, %": ["100.0", "66.7", ""],
        "right at 0.9, %": ["66.7", "66.7", ""],
        "PSNR, median, dB": ["–", "equal", ""],
        "PSNR, lowest, dB": ["–", "42.0", ""],
        "SSIM, mean": ["–", "0.9933", ""],
        "SSIM, lowest": ["–", "0.9800", ""],
        "mean difference of pixels, of 255": ["–", "0.500", ""],
        "largest difference, of 255": ["–", "2", ""],
    }
    for part in ("64x48 pixels, 4 steps", "medians of 3 prompts", "images of 3 that show", "mindspore 2.7.1"):
        assert part in text
    assert "    mindone-tcd compare --against int8\n" in text


def test_measures_that_no_side_has_are_left_out(found):
    without = report.Comparison(found.sides, found.requests, 3, [{}, {}], [None, None], found.similarity)
    table = rows(report.markdown(without, ""))
    assert not {"networks on disk, MB", "right, %"} & set(table)
    assert "show" not in report.markdown(without, "")


def test_json_has_the_same_numbers(found):
    text = report.as_json(found, "command")
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["prompts"][0] == {"prompt": "a | b", "seed": 5}
    lines = {line["measure"]: line for line in content["table"]}
    assert lines["seconds per image"]["values"] == [3.0, 1.5]
    assert lines["seconds per image"]["ratios"] == [1.0, 0.5]
    assert lines["PSNR, median, dB"] == {"measure": "PSNR, median, dB", "values": [None, None], "ratios": None}
    first, second = content["sides"]
    assert first["similarity"] is None
    assert second["similarity"]["psnr"] == [None, 42.0, None]
    assert second["similarity"]["equal_images"] == 2
    assert second["judged"] == {"images": 3, "right": 2, "right_at_0.9": 2}
    assert (second["seconds"], second["peak_bytes"]) == ([1.5, 1.4, 1.6], 1_000_000_000)


def test_the_sheet_shows_all_sides_and_their_differences(found):
    last = np.asarray(report.sheet(found))[-48:, -(3 * 64 + 2 * 4) :]  # the last row, without its label
    # White where the images are equal, and darker by 8 times the difference elsewhere.
    assert (last[:, 68 : 68 + 64] == 255 - 8 * 2).all()
    assert (last[:, :68] == 255).all()
    assert (last[:, -68:] == 255).all()


def test_the_sheet_has_at_most_eight_columns(found):
    many = [*found.requests] * 4
    for side in found.sides:
        side.images = side.images * 4
    wide = report.sheet(report.Comparison(found.sides, many, 3, found.disk, found.judged, found.similarity))
    few = report.sheet(report.Comparison(found.sides, many[:8], 3, found.disk, found.judged, found.similarity))
    assert wide.size == few.size


def test_the_plot_has_the_measures_with_ratios(found):
    titles = [line.title for line in report.lines_of(found) if line.relative]
    assert len(titles) == 6
    assert report.plot(found).width == 860
