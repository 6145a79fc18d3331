"""The folder that a comparison writes: all files or none."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from ..errors import UsageError, first_line
from ..storage.atomic_files import whole_folder

DEFAULT = Path("comparison")


def output_folder(out: Path | None) -> Path:
    """Return the folder to write, and check before any work that it can be written.

    Args:
        out: a folder that does not exist or is empty; None for a new name.

    Raises:
        UsageError: if the folder has files, is a file, or cannot be written.
    """
    if out is None:
        names = itertools.chain([DEFAULT], (Path(f"{DEFAULT}-{k}") for k in itertools.count(2)))
        out = next(name for name in names if not os.path.lexists(name))
    if os.path.lexists(out):
        if not out.is_dir():
            raise UsageError(f"cannot write the folder {out}: it is a file; choose another name with --out")
        if any(out.iterdir()):
            raise UsageError(f"the folder {out} is not empty; choose another name with --out, or empty it")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.parent}; create it or choose another")
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".mindone-tcd-", dir=parent))
    except OSError as error:
        raise _cannot_write(out, error) from error
    return out


def write_folder(out: Path, files: Mapping[str, str | Image.Image]) -> None:
    """Write all files into a folder beside the target, which then gets the target's name.

    Args:
        out: a folder that does not exist or is empty.
        files: texts, and images for PNG files, by name.

    Raises:
        UsageError: if the folder cannot be written; nothing is left then.
    """
    try:
        with whole_folder(out) as part:
            for name, content in files.items():
                if isinstance(content, str):
                    (part / name).write_text(content, encoding="utf-8")
                else:
                    content.save(part / name)
    except OSError as error:
        raise _cannot_write(out, error) from error


def _cannot_write(out: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {out}: {error.strerror or first_line(error)}; choose another folder with --out")
