"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .own_files import hidden_file


@contextlib.contextmanager
def whole_file(path: Path, overwrite: bool = True) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file ``path`` when the block ends; after an error nothing has changed.

    The content is on the disk before the file has its name, so that a crash of the machine leaves the old file or the
    new one, never a part of it.

    Args:
        path: of the file; its folder is there.
        overwrite: whether a file of that name is replaced.

    Raises:
        FileExistsError: if there is such a file and ``overwrite`` is False.
        OSError: if the file cannot be written.
    """
    handle, part = hidden_file(path.parent)
    with os.fdopen(handle, "wb") as stream:  # closed, and so unlocked, only after it has its name
        try:
            yield stream
            stream.flush()
            os.fsync(handle)
            if os.name == "nt":
                stream.close()  # Windows renames no open file
            _rename(part, path, overwrite)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    _flush_folder(path.parent)


def _rename(part: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, path)
        return
    try:
        os.link(part, path)  # in contrast to a renaming, it fails if there is such a file
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(part, path)
    else:
        part.unlink()


def _flush_folder(folder: Path) -> None:
    """Have the new name on the disk too, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
