"""A labeled grid of images, to compare what the arguments of a call do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError, shown
from .generated_image import MOST_GRID_PIXELS, GeneratedImage

_GAP = 4
"""Pixels between the images, and around each text."""

_TEXT_COLOR = "#333333"

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    rows: Sequence[Sequence[Image.Image | GeneratedImage]],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Image.Image:
    """Combine images into one, with a label for each row and column.

    Args:
        rows: the images of each row, from left to right. All rows have the same number of images, and all images the
            same size.
        row_labels: a text for each row, left of it.
        column_labels: a text for each column, above it. A text wider than the column continues on the next line.
        title: a text above the grid.

    Returns:
        An RGB image. It has no record: each image of a call has its own.

    Raises:
        UsageError: if rows, sizes or labels do not match, a text has characters outside ASCII, or the result
            is too large.
    """
    images = [[_pil(image) for image in _sequence(row, "each row")] for row in _sequence(rows, "rows")]
    width, height = _check_images(images)
    columns = len(images[0])
    names = list(_labels(row_labels, len(images), "row"))
    tops = list(_labels(column_labels, columns, "column"))
    if title is not None:
        _check_text(title)

    font = ImageFont.load_default(size=max(10, min(24, min(width, height) // 9)))
    line = sum(_metrics(font)) + _GAP
    left = max((_width(font, name) for name in names), default=-3 * _GAP) + 3 * _GAP
    full_width = left + columns * (width + _GAP) - _GAP
    wrapped = [_wrap(font, text, width) for text in tops]
    head = _wrap(font, title, full_width - 2 * _GAP) if title else []
    header = max(map(len, wrapped), default=0) * line
    above = len(head) * line + header + _GAP * (bool(head) + bool(header))
    full_height = above + len(images) * (height + _GAP) - _GAP
    if full_width * full_height > MOST_GRID_PIXELS:
        raise UsageError(
            f"a contact sheet of {full_width}x{full_height} pixels is too large, at most {MOST_GRID_PIXELS} pixels are "
            "possible: use fewer or smaller images"
        )

    sheet = Image.new("RGB", (full_width, full_height), "white")
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(head):
        draw.text((_GAP, _GAP + number * line), text, _TEXT_COLOR, font)
    for column, lines in enumerate(wrapped):
        for number, text in enumerate(lines):
            x = left + column * (width + _GAP) + (width - _width(font, text)) // 2
            y = above - header + number * line + (header - len(lines) * line) // 2
            draw.text((x, y), text, _TEXT_COLOR, font)
    for row, (name, line_of_images) in enumerate(zip(names or [""] * len(images), images, strict=True)):
        y = above + row * (height + _GAP)
        draw.text((_GAP, y + (height - line) // 2), name, _TEXT_COLOR, font)
        for column, image in enumerate(line_of_images):
            sheet.paste(image.convert("RGB"), (left + column * (width + _GAP), y))
    return sheet


def _sequence(value: object, name: str) -> Sequence:
    if not isinstance(value, list | tuple) or not value:
        raise UsageError(f"{name} must be a list that is not empty, not {shown(value)}: pass a list of lists of images")
    return value


def _pil(image: object) -> Image.Image:
    found = image.image if isinstance(image, GeneratedImage) else image
    if not isinstance(found, Image.Image):
        raise UsageError(
            f"a contact sheet consists of PIL images or the images of a call, not of {type(image).__name__}: "
            "pass a list of lists of them; a call returns a list, so take its first item with [0]"
        )
    return found


def _check_images(images: list[list[Image.Image]]) -> tuple[int, int]:
    lengths = sorted({len(row) for row in images})
    if len(lengths) > 1:
        raise UsageError(f"rows of {lengths[0]} and {lengths[-1]} images: pass the same number of images in each row")
    sizes = sorted({image.size for row in images for image in row})
    if len(sizes) > 1:
        texts = [f"{width}x{height}" for width, height in sizes]
        raise UsageError(f"images of {texts[0]} and {texts[-1]} pixels: resize them, so that all have one size")
    return sizes[0]


def _labels(labels: object, count: int, kind: str) -> Iterator[str]:
    if labels is None:
        return
    if not isinstance(labels, list | tuple) or len(labels) != count:
        raise UsageError(f"{kind}_labels must be a list of {count} texts, one for each {kind}, not {shown(labels)}")
    for label in labels:
        _check_text(label)
        yield label


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise UsageError(f"{shown(text)} is not a text: pass a string, such as str(value)")
    if not (text.isascii() and text.isprintable()):
        raise UsageError(
            f"the font of contact sheets cannot show {shown(text)}: use the letters, digits and punctuation of ASCII, "
            "on one line"
        )


def _metrics(font: _Font) -> tuple[int, int]:
    if isinstance(font, ImageFont.FreeTypeFont):
        return font.getmetrics()
    return int(font.getbbox("Ag")[3]), 0  # Pillow was built without FreeType


def _width(font: _Font, text: str) -> int:
    return int(-(-font.getlength(text) // 1))


def _wrap(font: _Font, text: str, width: int) -> list[str]:
    """Break a text at spaces, so that each line has at most this width. A longer word stays whole."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(font, longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
