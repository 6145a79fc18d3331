"""Temporary files and folders that the next run removes if the process that made them was killed.

A process holds a lock (``flock``) on each of its temporary files and folders; the system releases it when the process
ends, in whatever way. Another run removes what bears the name of this package and this machine, belongs to the same
user and is locked by nobody. Where a file system has no locks, nothing is removed.
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
"""Open for as long as the process lives: a closed file is not locked."""


@functools.cache
def _machine() -> str:
    """Part of each name: some network file systems keep locks to one machine, so only its own files are judged."""
    return hashlib.sha256(platform.node().encode("utf-8", "surrogateescape")).hexdigest()[:8]


def hidden_file(folder: Path) -> tuple[int, Path]:
    """A new, locked file in a folder; what killed processes left there is removed first.

    Returns:
        the open file, to be closed by the caller after the file is renamed or removed; and its path.

    Raises:
        OSError: if it cannot be made.
    """
    _clean(folder, rf"\.mindone-tcd-{_machine()}-[0-9a-f]{{16}}\.part", stat.S_ISREG, os.unlink)
    while True:
        path = folder / f".mindone-tcd-{_machine()}-{secrets.token_hex(8)}.part"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if _lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)  # another process took it for a leftover before it was locked


def temporary_folder(what: str) -> Path:
    """A new folder among the temporary files, removed when the process ends; leftovers of its kind are removed first.

    Args:
        what: a word of its name: ``mindone-tcd-WHAT-…``.
    """
    root = Path(tempfile.gettempdir())
    _clean(root, rf"mindone-tcd-{re.escape(what)}-{_machine()}-\w{{8}}", stat.S_ISDIR, shutil.rmtree)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"mindone-tcd-{what}-{_machine()}-"))
        if fcntl is None or _locked_folder(folder):
            atexit.register(_remove, folder, os.getpid())
            return folder


def _remove(folder: Path, maker: int) -> None:
    """Remove a folder, unless this process is a fork of the one that made it."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(folder: Path) -> bool:
    """Whether a folder is locked now; False if another process took it for a leftover before."""
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
    """Whether the lock is held now; False if another process holds it, None where there are no locks."""
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
    """Remove leftovers from a folder, the first time that this process asks for it.

    Args:
        folder: where they are.
        pattern: of their whole names.
        kind: tells from a mode whether it is a file or a folder; links are neither.
        remove: what removes one.
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
