"""Temporary files and folders that the next run removes if the process that created them was killed.

A process holds a lock (``flock``) on each of its temporary files and folders. The system releases the lock when the
process ends, however it ends. A later run removes files that have this package's and this machine's name, belong to the
same user and are not locked. On file systems without locks, nothing is removed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_cleaned: set[str] = set()
_locks: list[int] = []
"""Handles that stay open for the life of the process, because closing a file releases its lock."""


@functools.cache
def _machine() -> str:
    """Return a machine ID for file names. Some network file systems keep locks local to a machine, so a run must ignore
    the files of other machines.
    """
    return hashlib.sha256(platform.node().encode("utf-8", "surrogateescape")).hexdigest()[:8]


def hidden_file(folder: Path) -> tuple[int, Path]:
    """Create a locked file in a folder, after removing the files that killed processes left there.

    Returns:
        The file handle, which the caller closes after renaming or removing the file, and its path.

    Raises:
        OSError: if the file cannot be created.
    """
    _clean(folder, rf"\.mindone-tcd-{_machine()}-[0-9a-f]{{16}}\.part", stat.S_ISREG, os.unlink)
    while True:
        path = folder / f".mindone-tcd-{_machine()}-{secrets.token_hex(8)}.part"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if _lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)  # another process removed it as a leftover before it was locked


def temporary_folder(what: str) -> Path:
    """Create a temporary folder that is removed when the process ends; leftovers of its kind are removed first.

    Args:
        what: a part of its name: ``mindone-tcd-WHAT-…``.
    """
    root = Path(tempfile.gettempdir())
    _clean(root, rf"mindone-tcd-{re.escape(what)}-{_machine()}-\w{{8}}", stat.S_ISDIR, shutil.rmtree)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"mindone-tcd-{what}-{_machine()}-"))
        if fcntl is None or _locked_folder(folder):
            atexit.register(_remove, folder, os.getpid())
            return folder


def _remove(folder: Path, maker: int) -> None:
    """Remove a folder, unless this process is a fork of the process that created it."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(folder: Path) -> bool:
    """Lock a folder; return False if another process has removed it as a leftover."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    if _lock(handle) is not False and folder.is_dir():
        _locks.append(handle)
        return True
    os.close(handle)
    return False


def _lock(handle: int) -> bool | None:
    """Lock a file. Return False if another process holds the lock, None if the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _clean(folder: Path, pattern: str, kind: Callable[[int], bool], remove: Callable[[str], object]) -> None:
    """Remove leftovers from a folder, once per process.

    Args:
        folder: the folder to clean.
        pattern: matches the full names of leftovers.
        kind: says whether a mode is that of a file, or of a folder; links are neither.
        remove: removes one leftover.
    """
    key = f"{os.path.abspath(folder)}\0{pattern}"
    if fcntl is None or key in _cleaned:
        return
    _cleaned.add(key)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if re.fullmatch(pattern, entry.name):
                with contextlib.suppress(OSError):
                    _remove_if_left(entry.path, kind, remove)


def _remove_if_left(path: str, kind: Callable[[int], bool], remove: Callable[[str], object]) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        if kind(about.st_mode) and about.st_uid == os.geteuid() and _lock(handle):
            remove(path)
    finally:
        os.close(handle)
