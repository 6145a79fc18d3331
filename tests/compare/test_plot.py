"""The bars have the lengths of their values."""

import itertools

import numpy as np

from mindone_tcd.compare.plot import _COLORS, Bars, bar_plot


def lengths(image, color):
    """The lengths of the runs of a color in the rows that have a bar, once for each bar."""
    wanted = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
    counts = (np.asarray(image)[60:] == wanted).all(axis=-1).sum(axis=1)
    return [int(b) for a, b in itertools.pairwise(counts) if b and not a]


def test_bars_are_relative_to_the_first_side():
    groups = [
        Bars("seconds", (2.0, 1.0), ("2.0", "1.0 (0.50 ×)")),
        Bars("MB", (10.0, 20.0), ("10", "20 (2.00 ×)")),
        Bars("unknown", (3.0, None), ("3", "–")),
    ]
    image = bar_plot(["float32", "int8, größer"], groups, "relative to float32")
    assert (image.mode, image.width) == ("RGB", 860)
    first, second = (lengths(image, color) for color in _COLORS[:2])
    # A rectangle of Pillow includes its last pixel.
    assert len(first) == 3
    assert max(first) - min(first) == 0
    assert len(second) == 2
    assert abs(second[0] - first[0] / 2) <= 1
    assert abs(second[1] - first[0] * 2) <= 1


def test_long_legends_continue_on_the_next_row():
    short = bar_plot(["a"] * 6, [Bars("s", (1.0,) * 6, ("1",) * 6)], "title")
    long = bar_plot(["a long name of a side"] * 6, [Bars("s", (1.0,) * 6, ("1",) * 6)], "title")
    assert long.height > short.height
