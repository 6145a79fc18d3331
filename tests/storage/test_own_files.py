"""Files of killed runs are removed, but not those of running processes or other users, nor links."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mindone_tcd.storage import own_files
from mindone_tcd.storage.atomic_files import whole_file
from mindone_tcd.storage.own_files import hidden_file, temporary_folder

HOLDER = """
import sys, tempfile
from pathlib import Path
from mindone_tcd.patching.rewrite import function_from
from mindone_tcd.storage.own_files import hidden_file
tempfile.tempdir = sys.argv[1]
handle, part = hidden_file(Path(sys.argv[1]))
made = function_from("def f(): return 1", "f", {}, "title")
print(part, Path(made.__code__.co_filename).parent, sep="\\n", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds a hidden file and a folder for sources in tmp_path, and their paths."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    part, folder = (Path(process.stdout.readline().strip()) for _ in range(2))
    yield process, part, folder
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture
def next_run(tmp_path, monkeypatch):
    """The first actions of the next run: it writes a file, and creates a folder for sources."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run() -> Path:
        monkeypatch.setattr(own_files, "_cleaned", set())
        with whole_file(tmp_path / "out") as stream:
            stream.write(b"x")
        return temporary_folder("source")

    return run


def test_a_killed_run_leaves_nothing_after_the_next(holder, next_run, tmp_path):
    process, part, folder = holder
    assert part.is_file()
    assert list(folder.iterdir())
    next_run()
    assert part.is_file(), "the file of a running process was removed"
    assert list(folder.iterdir()), "the folder of a running process was removed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    new = next_run()
    assert not part.exists()
    assert not folder.exists()
    assert new.is_dir()
    assert (tmp_path / "out").is_file()


def test_links_and_the_files_of_others_stay(next_run, tmp_path, monkeypatch):
    handle, part = hidden_file(tmp_path)
    os.close(handle)
    target, inner = tmp_path / "target", tmp_path / "inner"
    inner.mkdir()
    (inner / "kept").touch()
    target.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    link = part.with_name(re.sub(r".{16}\.part$", f"{'0' * 16}.part", part.name))
    link.symlink_to(target)
    folder_link = tmp_path / f"mindone-tcd-source-{own_files._machine()}-abcdefgh"
    folder_link.symlink_to(inner)
    pipe = part.with_name(re.sub(r".{16}\.part$", f"{'1' * 16}.part", part.name))
    os.mkfifo(pipe)
    others = [
        part.with_name(".mindone-tcd-notes.part"),
        part.with_name(f".mindone-tcd-{'0' * 8}-{'0' * 16}.part"),  # of another machine on a shared file system
        part.with_name("report.part"),
    ]
    for other in others:
        other.touch()
    next_run()
    assert not part.exists()
    for kept in (link, target, folder_link, inner / "kept", pipe, *others):
        assert os.path.lexists(kept), f"{kept.name} was removed"

    handle, part = hidden_file(tmp_path)
    os.close(handle)
    monkeypatch.setattr(os, "geteuid", lambda: part.stat().st_uid + 1)
    next_run()
    assert part.exists(), "the file of another user was removed"


def test_a_new_file_that_is_removed_before_it_is_locked_is_created_again(tmp_path, monkeypatch):
    lock, taken = own_files._lock, []

    def late(handle):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        return lock(handle)

    monkeypatch.setattr(own_files, "_lock", late)
    handle, part = hidden_file(tmp_path)
    os.close(handle)
    assert part.is_file()
    assert part != taken[0]


def test_without_locks_nothing_is_removed(next_run, tmp_path, monkeypatch):
    handle, part = hidden_file(tmp_path)
    os.close(handle)

    def no_locks(*_arguments):
        raise OSError("no locks available")

    monkeypatch.setattr(own_files.fcntl, "flock", no_locks)
    next_run()
    assert part.exists()
