"""A bar plot of values relative to the first side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_COLORS = ("#8a8f98", "#3f6fb5", "#c2703d", "#4f9153", "#8d5fa8", "#b5a33f")
"""The colors of the sides. The first one is gray, because all others are relative to it."""

_TEXT = "#333333"
_LINE = "#d0d0d0"
_BAR = 20
_WIDTH = 860
_LEFT = 240
_RIGHT = 190
_FONT = 15


@dataclass(frozen=True)
class Bars:
    """A group of bars: one measure, for all sides.

    Attributes:
        title: the name of the measure.
        values: the value of each side; None for no bar. The first is above 0.
        texts: the text at the end of each bar.
    """

    title: str
    values: tuple[float | None, ...]
    texts: tuple[str, ...]


def bar_plot(labels: Sequence[str], groups: Sequence[Bars], title: str) -> Image.Image:
    """Draw a group of horizontal bars for each measure. The bar of the first side has the length 1.

    Args:
        labels: the names of the sides.
        groups: the measures.
        title: the text above the bars.

    Returns:
        An RGB image, 860 pixels wide.
    """
    font = ImageFont.load_default(size=_FONT)
    line = _FONT + 9
    legend = _legend_rows(labels, font)
    top = 2 * line + len(legend) * line
    height = top + sum(len(labels) * _BAR + line for _ in groups) + line
    image = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((12, 10), _ascii(title), _TEXT, font)
    for row, entries in enumerate(legend):
        x = 12
        for k in entries:
            y = 10 + (row + 1) * line + 4
            draw.rectangle((x, y + 2, x + 12, y + 14), _color(k))
            draw.text((x + 18, y), _ascii(labels[k]), _TEXT, font)
            x += _entry_width(labels[k], font)
    longest = max(
        (value / group.values[0] for group in groups for value in group.values if value and group.values[0]),
        default=1.0,
    )
    scale = (_WIDTH - _LEFT - _RIGHT) / max(1.0, longest)
    draw.line((_LEFT + scale, top - 6, _LEFT + scale, height - line), _LINE)
    y = top
    for group in groups:
        middle = y + len(labels) * _BAR / 2 - _FONT / 2 - 2
        text = _ascii(group.title)
        draw.text((_LEFT - 12 - font.getlength(text), middle), text, _TEXT, font)
        for k, (value, says) in enumerate(zip(group.values, group.texts, strict=True)):
            base = group.values[0]
            end = _LEFT + (scale * value / base if value and base else 0)
            if value and base:
                draw.rectangle((_LEFT, y + 2, end, y + _BAR - 2), _color(k))
            draw.text((end + 8, y + 1), _ascii(says), _TEXT, font)
            y += _BAR
        y += line
    draw.line((_LEFT, top - 6, _LEFT, height - line), _TEXT)
    return image


def _color(k: int) -> str:
    return _COLORS[k % len(_COLORS)]


def _entry_width(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return int(font.getlength(_ascii(label))) + 42


def _legend_rows(labels: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[list[int]]:
    """Return the sides in each row of the legend."""
    rows: list[list[int]] = [[]]
    used = 12
    for k, label in enumerate(labels):
        width = _entry_width(label, font)
        if rows[-1] and used + width > _WIDTH:
            rows.append([])
            used = 12
        rows[-1].append(k)
        used += width
    return rows


def _ascii(text: str) -> str:
    """Return the text in the characters of Pillow's own font."""
    return text.replace("×", "x").encode("ascii", "replace").decode()
