"""Graphs on disk, so that a second process need not compile what a first one has.

MindSpore can keep compiled graphs in files, but numbers them in the order in which a process compiles, reads them from
one folder a process, and recognises a change only in the script that was started: with another model or LoRA it takes
the wrong graph. Here a graph's file is named after all that makes the graph what it is, and laid out for MindSpore
under the number that it will look for.

The folder is `$MINDONE_TCD_CACHE`, or `mindone-tcd` in `$XDG_CACHE_HOME` (`~/.cache`). `MINDONE_TCD_CACHE=off` keeps
nothing.
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
from ..atomic_files import whole_file
from ..environment import versions
from ..own_files import temporary_folder

MOST_FILES = 64
"""How many graphs are kept; the ones unused for longest go first. A graph of SDXL's UNet takes some 20 MB."""

_count = 0


def folder() -> Path | None:
    """Where graphs are kept; None where they are not."""
    chosen = os.environ.get("MINDONE_TCD_CACHE")
    if chosen is not None:
        return None if chosen.lower() in ("", "0", "off") else Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mindone-tcd"


def name_of(*parts: str) -> str:
    """The file name of a graph, from texts that say what it is made of."""
    text = hashlib.sha256(_surroundings().encode())
    for part in parts:
        text.update(b"\0" + part.encode())
    return f"{text.hexdigest()}.mindir"


@contextlib.contextmanager
def kept(name: str | None) -> Iterator[None]:
    """Within, one graph is compiled: it is taken from the file of that name, or put there.

    A file that cannot be read or written costs nothing but the compiling.

    Args:
        name: from `name_of`; None compiles without looking at the disk.
    """
    place = folder()
    if name is None or place is None or _used_by_others():
        yield
        return
    global _count
    try:
        laid_out = _desk() / f"compile_cache_{_count}.mindir"
        with contextlib.suppress(OSError):
            shutil.copyfile(place / name, laid_out)
            os.utime(place / name)
        found = laid_out.exists()
    except OSError:
        yield
        return
    stamp = laid_out.stat().st_mtime_ns if found else None
    try:
        with _cache_switched_on():
            yield
    finally:
        made = [file for file in _desk().glob("*.mindir") if file != laid_out or file.stat().st_mtime_ns != stamp]
        for file in made:
            _count = int(file.stem.rpartition("_")[2])  # where a compilation failed, the count was off
            with contextlib.suppress(OSError):
                _put(file, place / name)
        if made or found:
            _count += 1
        for file in [*made, laid_out]:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _cache_switched_on() -> Iterator[None]:
    settings = {
        "MS_COMPILER_CACHE_ENABLE": "1",
        "MS_COMPILER_CACHE_PATH": str(_desk().parents[1]),
        # What MindSpore would look at, the started script, has no part in the graph; nor can it read every script.
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


def _put(made: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with made.open("rb") as source, whole_file(file) as stream:
        shutil.copyfileobj(source, stream)
    files = sorted(file.parent.glob("*.mindir"), key=lambda path: path.stat().st_mtime)
    for old in files[:-MOST_FILES]:
        old.unlink(missing_ok=True)


def _used_by_others() -> bool:
    """Whether the user has set MindSpore's own cache up: then it is left alone."""
    return bool(ms.get_context("enable_compile_cache")) or os.environ.get("MS_COMPILER_CACHE_ENABLE") == "1"


@functools.cache
def _desk() -> Path:
    """The folder in which MindSpore looks, one a process because it reads the setting once."""
    desk = temporary_folder("graphs") / f"rank_{os.environ.get('RANK_ID', '0')}" / "graph_cache"
    desk.mkdir(parents=True)
    return desk


def _surroundings() -> str:
    kernels = cpu.enabled(), cpu.native_kernels() and cpu.native.library()  # graphs hold the library's path
    return f"{versions()} {cpu.device()} {kernels} {_own_source()}"


@functools.cache
def _own_source() -> str:
    """A digest of this package's source: the kernels and patches end up in the graphs."""
    text = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.cpp")]):
        text.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return text.hexdigest()
