"""An image and its record. The record, stored in the PNG file, says how to generate the image again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import UsageError
from .output_file import Kind, check_output, check_path, png_info, saving
from .record_text import MOST_TEXT
from .request import Request

_KIND = Kind("images are PNG files", (".png",))

_RECORD_BYTES = 1200
"""Maximum size of one record without its prompts, for paths of the usual length."""

MOST_GRID_PIXELS = 1 << 28
"""Maximum size of a grid: 16,384 x 16,384. It takes 0.8 GB of memory."""


@dataclass(frozen=True)
class GeneratedImage:
    """One image.

    Attributes:
        image: a PIL image, RGB.
        record: everything needed to generate it again: prompt, seed, recipe, model, dtype, device and versions. It is
            empty for images that were not generated, such as control maps.
    """

    image: Image.Image
    record: dict[str, Any]

    def save(self, path: str | Path, overwrite: bool = True) -> Path:
        """Write a PNG that contains the record. The file is written atomically.

        Args:
            path: the file; its name ends in ``.png``.
            overwrite: whether an existing file is replaced, as in PIL's ``save``.

        Returns:
            The path.

        Raises:
            FileExistsError: if the file exists and ``overwrite`` is False.
            UsageError: if the file cannot be written.
        """
        path = Path(path)
        check_path(path, _KIND)
        info = png_info(self.record, path)
        with saving(path, overwrite) as stream:
            self.image.save(stream, "PNG", pnginfo=info)
        return path


def check_writable(path: Path) -> None:
    """Check, before any work, that a PNG can be written to this path.

    Raises:
        UsageError: if the path is a folder, does not end in .png, is in a missing folder, has a name that is too long,
            or no file can be created there.
    """
    check_output(path, _KIND)


def _columns(count: int) -> int:
    return int(-(-(count**0.5) // 1))


def check_grid(request: Request) -> None:
    """Check, before any work, that the grid of a request's images, and its record, are not too large.

    Raises:
        UsageError: if it has more than ``MOST_GRID_PIXELS``, or its record is too large to be read again.
    """
    count, width, height = len(request.seeds), request.width, request.height
    columns = _columns(count)
    pixels = columns * width * -(-count // columns) * height
    if pixels > MOST_GRID_PIXELS:
        raise UsageError(
            f"a grid of {count} images of {width}x{height} has {pixels} pixels, but at most {MOST_GRID_PIXELS} are "
            "possible: generate fewer or smaller images, or leave out --grid"
        )
    prompts = json.dumps([request.prompt, request.negative_prompt], ensure_ascii=False)
    if count * (_RECORD_BYTES + len(prompts.encode())) > MOST_TEXT:
        raise UsageError(
            f"the record of a grid of {count} images with these prompts has more than {MOST_TEXT} bytes: generate "
            "fewer images, shorten the prompt, or leave out --grid"
        )


def grid(generated: list[GeneratedImage], columns: int | None = None) -> GeneratedImage:
    """Combine images of one size into a grid with ``columns`` per row (default: as square as possible).

    The grid's record is ``{"grid": [the record of each image]}``.
    """
    images = [each.image for each in generated]
    columns = columns or _columns(len(images))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * width, k // columns * height))
    return GeneratedImage(sheet, {"grid": [each.record for each in generated]})
