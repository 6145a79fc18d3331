"""Write an output file atomically, and check before any work that it can be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL import PngImagePlugin

from ..errors import UsageError, first_line
from ..storage.atomic_files import whole_file
from ..storage.own_files import hidden_file
from .record_text import KEY, to_text

_LEAST_FREE = 1 << 16
"""Bytes that must be available before any work: about the size of a small image."""


class Kind(NamedTuple):
    """A kind of output file.

    Attributes:
        rule: the formats of its files, for messages: "images are PNG files".
        suffixes: the endings of its file names.
    """

    rule: str
    suffixes: tuple[str, ...]


@contextlib.contextmanager
def saving(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """Yield a stream whose content becomes the file when the block ends. After an error, nothing has changed.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is False.
        UsageError: if the file cannot be written.
    """
    try:
        with whole_file(path, overwrite) as stream:
            yield stream
    except FileExistsError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error


def png_info(record: dict[str, Any], path: Path) -> PngImagePlugin.PngInfo:
    """Return the text chunk with the record, for Pillow's ``save``; no chunk for an empty record.

    Raises:
        UsageError: if the record is too large to be read again.
    """
    info = PngImagePlugin.PngInfo()
    if record:
        info.add_itxt(KEY, to_text(record, path))
    return info


def check_path(path: Path, kind: Kind) -> None:
    """Check the name of an output file.

    Raises:
        UsageError: if the path is a folder, has another suffix, or is in a missing folder.
    """
    if os.path.isdir(path):  # returns False, instead of an error, for a name that is too long
        raise UsageError(f"cannot write {path}: it is a folder; give the name of a file")
    if path.suffix.lower() not in kind.suffixes:
        raise UsageError(f"cannot write {path}: {kind.rule}; give a name that ends in {' or '.join(kind.suffixes)}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; create it or choose another")


def check_output(path: Path, kind: Kind) -> None:
    """Check, before any work, that a file can be written to this path.

    Raises:
        UsageError: as :func:`check_path`; also if the name is too long, or no file can be created there.
    """
    check_path(path, kind)
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


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or first_line(error)}; choose another file with --out")
