"""An image and the record of how it was made; the record travels in the PNG file itself."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from ..atomic_files import whole_file
from ..errors import UsageError
from ..own_files import hidden_file
from .png_record import KEY, MOST_TEXT
from .request import Request

_LEAST_FREE = 1 << 16
"""Bytes that should be free before any work: about what a small image takes."""

_RECORD_BYTES = 1200
"""Of one record without its prompts, at most, if its paths are of the usual length."""

MOST_GRID_PIXELS = 1 << 28
"""Of a whole grid: 16,384 x 16,384. It takes 0.8 GB of memory."""


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        image: a PIL image, RGB.
        record: all that makes it again: prompt, seed, recipe, model, dtype, device and versions.
    """

    image: Image.Image
    record: dict

    def save(self, path: str | Path, overwrite: bool = True) -> Path:
        """Write a PNG that carries the record. The file appears whole or not at all.

        Args:
            path: of the file, which ends in ``.png``.
            overwrite: whether a file of that name is replaced, as PIL's ``save`` does.

        Returns:
            the path.

        Raises:
            FileExistsError: if there is such a file and ``overwrite`` is False.
            UsageError: if it cannot be written there.
        """
        path = Path(path)
        _check_place(path)
        text = json.dumps(self.record, ensure_ascii=False)
        text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)  # UTF-8 cannot hold them
        if len(text.encode()) > MOST_TEXT:
            raise UsageError(
                f"cannot write {path}: its record has {len(text.encode())} bytes, at most {MOST_TEXT} can be read "
                "again; make a grid of fewer images"
            )
        info = PngImagePlugin.PngInfo()
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
    return UsageError(f"cannot write {path}: {error.strerror or error}; choose another name or place with --out")


def _check_place(path: Path) -> None:
    if os.path.isdir(path):  # False, not an error, for a name that is too long
        raise UsageError(f"cannot write {path}: it is a folder; give the name of a file")
    if path.suffix.lower() != ".png":
        raise UsageError(f"cannot write {path}: images are PNG files; give a name that ends in .png")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first or choose another")


def check_writable(path: Path) -> None:
    """Make sure, before any work, that a PNG can be written to this path.

    Raises:
        UsageError: for a folder, another ending than .png, a folder that is not there, a name that is too long, and
            wherever a file cannot be made.
    """
    _check_place(path)
    try:
        target = path if path.exists() else path.parent
        if not os.access(target, os.W_OK):
            raise UsageError(
                f"cannot write {path}: no permission to write to {target}; choose another place with --out"
            )
        # Only an attempt tells of an unusual file system, or of one that has no space even for this.
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
    """Make sure, before any work, that the grid of a request's images, and its record, are not too large.

    Raises:
        UsageError: if it has more than ``MOST_GRID_PIXELS``, or the record more bytes than can be read again.
    """
    count, width, height = len(request.seeds), request.width, request.height
    columns = _columns(count)
    pixels = columns * width * -(-count // columns) * height
    if pixels > MOST_GRID_PIXELS:
        raise UsageError(
            f"a grid of {count} images of {width}x{height} has {pixels} pixels, at most {MOST_GRID_PIXELS} are "
            "possible: make fewer or smaller images, or leave --grid out"
        )
    prompts = json.dumps([request.prompt, request.negative_prompt], ensure_ascii=False)
    if count * (_RECORD_BYTES + len(prompts.encode())) > MOST_TEXT:
        raise UsageError(
            f"the record of a grid of {count} images with these prompts has more than {MOST_TEXT} bytes: make fewer "
            "images, shorten the prompt, or leave --grid out"
        )


def grid(pictures: list[Picture], columns: int | None = None) -> Picture:
    """Images of one size side by side, ``columns`` in a row (by default as near a square as it goes).

    Its record is ``{"grid": [the record of each]}``.
    """
    images = [picture.image for picture in pictures]
    columns = columns or _columns(len(images))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * width, k // columns * height))
    return Picture(sheet, {"grid": [picture.record for picture in pictures]})
