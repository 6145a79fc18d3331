"""Names of the files that a command writes: after the prompt, and never that of a file that is there."""

from __future__ import annotations

import itertools
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError
from .picture import Picture

_MOST_BYTES = 80
"""Of the part of a name that is made from the prompt; file systems take 255, or 143 where names are encrypted."""


def default_name(prompt: str, seed: int) -> Path:
    """A name after the prompt: its letters and digits, of whatever script, in lower case, with hyphens between."""
    text = unicodedata.normalize("NFC", prompt).lower()
    words = "-".join("".join(c if _is_safe(c) else " " for c in text).split())
    short = words.encode()[:_MOST_BYTES].decode(errors="ignore").strip("-")
    return Path(f"{short or 'image'}-seed{seed}.png")


def _is_safe(character: str) -> bool:
    """Whether it is a letter, mark or digit that the file system's encoding has."""
    if unicodedata.category(character)[0] not in "LMN":
        return False
    try:
        character.encode(sys.getfilesystemencoding())
    except UnicodeEncodeError:
        return False
    return True


def of_images(out: Path, count: int, with_grid: bool) -> list[Path]:
    """The files of a run: ``out`` itself for one image, else ``out-1``, ``out-2``, …; and last ``out-grid``."""
    digits = len(str(count))
    ends = [""] if count == 1 else [f"-{k + 1:0{digits}d}" for k in range(count)]
    return [out.with_name(f"{out.stem}{end}{out.suffix}") for end in [*ends, *(["-grid"] if with_grid else [])]]


def free(out: Path, files: Callable[[Path], list[Path]]) -> list[Path]:
    """The files of ``out``, or of ``out-2``, ``out-3``, …: the first of which none is there.

    Args:
        out: a default name.
        files: the files that a run writes, given such a name.
    """
    names = itertools.chain([out], (out.with_name(f"{out.stem}-{k}{out.suffix}") for k in itertools.count(2)))
    return next(found for found in map(files, names) if not any(map(os.path.lexists, found)))


def refuse_existing(paths: list[Path]) -> None:
    """Make sure, before any work, that no file is there that was not to be replaced.

    Raises:
        UsageError: naming the first that is.
    """
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(f"{path} is there already; give another name with --out, or add --overwrite")


def save_new(picture: Picture, path: Path, overwrite: bool) -> Path:
    """Save an image; where another process took the name during the work, under the next name that is free.

    Returns:
        the path of the file.
    """
    while True:
        try:
            return picture.save(path, overwrite)
        except FileExistsError:
            (path,) = free(path, lambda out: [out])
