"""An image and its record. The record, stored in the PNG file, says how to generate the image again."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from ..errors import UsageError
from ..storage.atomic_files import whole_file
from ..storage.own_files import hidden_file
from .png_record import KEY, MOST_TEXT
from .request import Request

_LEAST_FREE = 1 << 16
"""Bytes that must be available before any work: about the size of a small image."""

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
        _check_path(path)
        text = json.dumps(self.record, ensure_ascii=False)
        text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)  # not encodable in UTF-8
        if len(text.encode()) > MOST_TEXT:
            raise UsageError(
                f"cannot write {path}: its record has {len(text.encode())} bytes, but at most {MOST_TEXT} can be read "
                "again; create a grid of fewer images"
            )
        info = PngImagePlugin.PngInfo()
        if self.record:
            info.add_itxt(KEY, text)
        try:
            with whole_file(path, overwrite) as stream:
                self.image.save(stream, "PNG", pnginfo=info)
        except FileExistsError:
            raise
        except OSError as error:
            raise _cannot_write(path, error) from error
        return path


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}; choose another file with --out")


def _check_path(path: Path) -> None:
    if os.path.isdir(path):  # returns False, instead of an error, for a name that is too long
        raise UsageError(f"cannot write {path}: it is a folder; give the name of a file")
    if path.suffix.lower() != ".png":
        raise UsageError(f"cannot write {path}: images are PNG files; give a name that ends in .png")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; create it or choose another")


def check_writable(path: Path) -> None:
    """Check, before any work, that a PNG can be written to this path.

    Raises:
        UsageError: if the path is a folder, does not end in .png, is in a missing folder, has a name that is too long,
            or no file can be created there.
    """
    _check_path(path)
    try:
        target = path if path.exists() else path.parent
        if not os.access(target, os.W_OK):
            raise UsageError(
                f"cannot write {path}: no permission to write to {target}; choose another folder with --out"
            )
        # Only an attempt detects an unusual file system, or one without enough space.
        handle, name = hidden_file(path.parent)
        with os.fdopen(handle, "wb") as stream:
            try:
                stream.write(bytes(_LEAST_FREE))
                stream.flush()
            finally:
                os.unlink(name)
    except OSError as error:
        raise _cannot_write(path, error) from error


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
