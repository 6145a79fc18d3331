"""Choose the names of the files that a command writes. They derive from the prompt and never match an existing file."""

from __future__ import annotations

import itertools
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError
from .generated_clip import GeneratedClip
from .generated_image import GeneratedImage

_MOST_BYTES = 80
"""Maximum bytes of the prompt's part in a name. File systems allow 255, or 143 with encrypted names."""


def default_name(prompt: str, seed: int) -> Path:
    """Return a name from the prompt: its letters and digits, of any script, in lower case, joined by hyphens."""
    text = unicodedata.normalize("NFC", prompt).lower()
    words = "-".join("".join(c if _is_safe(c) else " " for c in text).split())
    short = words.encode()[:_MOST_BYTES].decode(errors="ignore").strip("-")
    return Path(f"{short or 'image'}-seed{seed}.png")


def _is_safe(character: str) -> bool:
    """Return whether a character is a letter, mark or digit that the file system's encoding can represent."""
    if unicodedata.category(character)[0] not in "LMN":
        return False
    try:
        character.encode(sys.getfilesystemencoding())
    except UnicodeEncodeError:
        return False
    return True


def of_images(out: Path, count: int, with_grid: bool) -> list[Path]:
    """Return the files of a run: ``out`` itself for one image, else ``out-1``, ``out-2``, …; then ``out-grid``."""
    digits = len(str(count))
    ends = [""] if count == 1 else [f"-{k + 1:0{digits}d}" for k in range(count)]
    return [out.with_name(f"{out.stem}{end}{out.suffix}") for end in [*ends, *(["-grid"] if with_grid else [])]]


def free(out: Path, files: Callable[[Path], list[Path]]) -> list[Path]:
    """Return the first files among those of ``out``, ``out-2``, ``out-3``, … of which none exists.

    Args:
        out: a default name.
        files: returns the files that a run writes for such a name.
    """
    names = itertools.chain([out], (out.with_name(f"{out.stem}-{k}{out.suffix}") for k in itertools.count(2)))
    return next(found for found in map(files, names) if not any(map(os.path.lexists, found)))


def refuse_existing(paths: list[Path]) -> None:
    """Check, before any work, that no file exists that must not be overwritten.

    Raises:
        UsageError: if one exists; the message names the first.
    """
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(f"{path} already exists; choose another name with --out, or add --overwrite")


def save_new(image: GeneratedImage | GeneratedClip, path: Path, overwrite: bool) -> Path:
    """Save an image. If another process has created the file in the meantime, use the next free name.

    Returns:
        The path of the file.
    """
    while True:
        try:
            return image.save(path, overwrite)
        except FileExistsError:
            (path,) = free(path, lambda out: [out])
