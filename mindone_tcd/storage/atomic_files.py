"""Write files and folders atomically."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .own_files import hidden_file


@contextlib.contextmanager
def whole_file(path: Path, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Yield a stream whose content becomes the file ``path`` when the block ends. After an error, nothing has changed.

    The content is flushed to disk before the file gets its name, so a system crash leaves either the old or the new
    file, never a partial one.

    Args:
        path: the file; its folder must exist.
        overwrite: whether an existing file is replaced.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is False.
        OSError: if the file cannot be written.
    """
    handle, part = hidden_file(path.parent)
    with os.fdopen(handle, "wb") as stream:  # closing releases the lock, so it happens after the renaming
        try:
            yield stream
            stream.flush()
            os.fsync(handle)
            if os.name == "nt":
                stream.close()  # Windows cannot rename an open file
            _rename(part, path, overwrite)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    _flush_folder(path.parent)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a folder that becomes the folder ``path`` when the block ends. After an error, nothing has changed.

    Args:
        path: a folder that does not exist or is empty; its parent must exist.

    Raises:
        OSError: if the folder cannot be written.
    """
    part = Path(tempfile.mkdtemp(prefix=".mindone-tcd-", dir=path.absolute().parent))
    try:
        yield part
        part.chmod(0o777 & ~_umask())  # mkdtemp creates private folders
        os.rename(part, path)  # replaces an empty folder
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _rename(part: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, path)
        return
    try:
        os.link(part, path)  # unlike a rename, it fails if the file exists
    except FileExistsError:
        raise
    except OSError:  # the file system does not support links
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(part, path)
    else:
        part.unlink()


def _flush_folder(folder: Path) -> None:
    """Flush the new name to disk too, on systems that support this."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
