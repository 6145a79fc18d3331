"""A picture and the record of how it was made; the record travels in the PNG file itself."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from ..errors import UsageError

_KEY = "mindone-tcd"

_ROOM = 1 << 16
"""Bytes that should be free before any work: about what a small picture takes."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        image: a PIL image, RGB.
        record: all that makes it again: prompt, seed, recipe, model, dtype, device and versions.
    """

    image: Image.Image
    record: dict

    def save(self, path: str | Path) -> Path:
        """Write a PNG that carries the record. The file appears whole or not at all.

        Raises:
            UsageError: if it cannot be written there.
        """
        text = PngImagePlugin.PngInfo()
        text.add_itxt(_KEY, json.dumps(self.record, ensure_ascii=False))
        path = Path(path)
        check_writable(path)
        handle, name = _hidden_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                self.image.save(stream, "PNG", pnginfo=text)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException as error:
            Path(name).unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _cannot_write(path, error) from error
            raise
        return path


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}; choose another name or place with --out")


def _hidden_file(folder: Path) -> tuple[int, str]:
    return tempfile.mkstemp(dir=folder, prefix=".mindone-tcd-", suffix=".part")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check_writable(path: Path) -> None:
    """Make sure, before any work, that a PNG can be written to this path.

    Raises:
        UsageError: for a folder, another ending than .png, a folder that is not there, a name that is too long, and
            wherever a file cannot be made.
    """
    if os.path.isdir(path):  # False, not an error, for a name that is too long
        raise UsageError(f"cannot write {path}: it is a folder; give the name of a file")
    if path.suffix.lower() != ".png":
        raise UsageError(f"cannot write {path}: pictures are PNG files; give a name that ends in .png")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first or choose another")
    try:
        target = path if path.exists() else path.parent
        if not os.access(target, os.W_OK):
            raise UsageError(
                f"cannot write {path}: no permission to write to {target}; choose another place with --out"
            )
        # Only an attempt tells of an unusual file system, or of one that has no room even for this.
        handle, name = _hidden_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(bytes(_ROOM))
        finally:
            os.unlink(name)
    except OSError as error:
        raise _cannot_write(path, error) from error


def read_record(path: str | Path) -> dict:
    """The record in a PNG.

    Raises:
        UsageError: if the file is missing, no picture, or carries no record.
    """
    path = Path(path)
    if not os.path.isfile(path):  # False, not an error, for a name that is too long
        what = f"{path} is a folder" if os.path.isdir(path) else f"no file {path}"
        raise UsageError(f"{what}; give a PNG that mindone-tcd made")
    try:
        with Image.open(path) as image:
            image.load()
            text = getattr(image, "text", {}).get(_KEY)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a picture ({error}); give a PNG that mindone-tcd made") from error
    try:
        record = json.loads(text) if text is not None else None
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise UsageError(
            f"{path} carries no record of how it was made: only PNGs that mindone-tcd wrote do, and a program that "
            "saves one again may drop it"
        )
    return record


def grid(pictures: list[Picture], columns: int | None = None) -> Picture:
    """Pictures of one size side by side, ``columns`` in a row (by default as near a square as it goes).

    Its record is ``{"grid": [the record of each]}``.
    """
    images = [picture.image for picture in pictures]
    columns = columns or int(-(-(len(images) ** 0.5) // 1))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * width, k // columns * height))
    return Picture(sheet, {"grid": [picture.record for picture in pictures]})
