"""Cache compiled graphs on disk, so that another process does not compile them again.

MindSpore's own cache is not sufficient. It numbers graphs in the order in which a process compiles them, reads them
from one folder per process, and detects changes only in the script that was started. With another model or LoRA, it
loads the wrong graph. This module names a graph's file after everything that determines the graph, and copies it to the
numbered file that MindSpore reads.

`mindone_tcd.storage.cache` says which folder it is.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
from mindspore.common import api

from .. import cpu
from ..environment import versions
from ..storage.atomic_files import whole_file
from ..storage.cache import cache_folder
from ..storage.own_files import temporary_folder

MOST_FILES = 64
"""The maximum number of graphs on disk. The least recently used go first. A graph of SDXL's UNet takes about 20 MB."""

_count = 0


def name_of(*parts: str) -> str:
    """Return the file name of a graph, computed from strings that together determine the graph."""
    text = hashlib.sha256(_environment().encode())
    for part in parts:
        text.update(b"\0" + part.encode())
    return f"{text.hexdigest()}.mindir"


@contextlib.contextmanager
def cached(name: str | None) -> Iterator[None]:
    """Compile one graph within this context: read it from the file of that name if it exists, else store it there.

    If the file cannot be read or written, the graph is only compiled.

    Args:
        name: from `name_of`; None does not use the disk.
    """
    cache = cache_folder()
    if name is None or cache is None or _used_by_others():
        yield
        return
    global _count
    try:
        copy = _read_folder() / f"compile_cache_{_count}.mindir"
        with contextlib.suppress(OSError):
            shutil.copyfile(cache / name, copy)
            os.utime(cache / name)
        found = copy.exists()
    except OSError:
        yield
        return
    stamp = copy.stat().st_mtime_ns if found else None
    try:
        with _cache_switched_on():
            yield
    finally:
        new = [file for file in _read_folder().glob("*.mindir") if file != copy or file.stat().st_mtime_ns != stamp]
        for file in new:
            _count = int(file.stem.rpartition("_")[2])  # after a failed compilation, MindSpore's number differs
            with contextlib.suppress(OSError):
                _store(file, cache / name)
        if new or found:
            _count += 1
        for file in [*new, copy]:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _cache_switched_on() -> Iterator[None]:
    settings = {
        "MS_COMPILER_CACHE_ENABLE": "1",
        "MS_COMPILER_CACHE_PATH": str(_read_folder().parents[1]),
        # MindSpore's check reads only the started script, which is not part of the graph and may be unreadable.
        "MS_DEV_FORCE_USE_COMPILE_CACHE": "1",
    }
    before = {name: os.environ.get(name) for name in settings}
    read_script, api._get_compile_cache_dep_files = api._get_compile_cache_dep_files, list
    os.environ.update(settings)
    try:
        yield
    finally:
        api._get_compile_cache_dep_files = read_script
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _store(new: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with new.open("rb") as source, whole_file(file) as stream:
        shutil.copyfileobj(source, stream)
    files = sorted(file.parent.glob("*.mindir"), key=lambda path: path.stat().st_mtime)
    for old in files[:-MOST_FILES]:
        old.unlink(missing_ok=True)


def _used_by_others() -> bool:
    """Return whether the user has enabled MindSpore's own cache, which this module then does not change."""
    return bool(ms.get_context("enable_compile_cache")) or os.environ.get("MS_COMPILER_CACHE_ENABLE") == "1"


@functools.cache
def _read_folder() -> Path:
    """Return the folder that MindSpore reads; one per process, because MindSpore reads the setting once."""
    cache = temporary_folder("graphs") / f"rank_{os.environ.get('RANK_ID', '0')}" / "graph_cache"
    cache.mkdir(parents=True)
    return cache


def _environment() -> str:
    kernels = cpu.enabled(), cpu.native_kernels() and cpu.native.library()  # graphs contain the library's path
    return f"{versions()} {cpu.device()} {kernels} {_own_source()}"


@functools.cache
def _own_source() -> str:
    """Return a digest of this package's source, because its kernels and patches become part of the graphs."""
    text = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.cpp")]):
        text.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return text.hexdigest()
