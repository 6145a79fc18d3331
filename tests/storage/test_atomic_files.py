"""Files appear complete or not at all, replace no file by default, and are on disk before they get their name."""

import os

import pytest

from mindone_tcd.storage import atomic_files
from mindone_tcd.storage.atomic_files import whole_file


def write(path, content: bytes = b"new", **options) -> None:
    with whole_file(path, **options) as stream:
        stream.write(content)


def test_a_file_appears_and_replaces(tmp_path):
    path = tmp_path / "a"
    for content in (b"one", b"two"):
        write(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_changes_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), whole_file(path) as stream:
        stream.writelines([b"half", None])
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_an_existing_file_is_replaced_only_on_request(tmp_path, monkeypatch, links):
    def no_links(*_paths):
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "new", overwrite=False)
    path = tmp_path / "old"
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        write(path, overwrite=False)
    assert path.read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]
    assert (tmp_path / "new").read_bytes() == b"new"


def test_the_content_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle):
        steps.append(("sync", os.fstat(handle).st_size))
        sync(handle)

    def note_rename(*paths):
        steps.append(("rename", None))
        replace(*paths)

    monkeypatch.setattr(atomic_files.os, "fsync", note_sync)
    monkeypatch.setattr(atomic_files.os, "replace", note_rename)
    write(tmp_path / "a", b"12345")
    assert steps[:2] == [("sync", 5), ("rename", None)]
    assert [name for name, _ in steps] == ["sync", "rename", "sync"], "the folder is not flushed after the renaming"


def test_the_file_has_the_usual_permissions(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_folder_appears_whole_and_replaces_an_empty_one(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    with atomic_files.whole_folder(target) as part:
        (part / "file").write_text("content")
        assert not any(target.iterdir())
    assert (target / "file").read_text() == "content"
    assert list(tmp_path.iterdir()) == [target]


def test_after_an_error_no_folder_is_left(tmp_path):
    def interrupted():
        with atomic_files.whole_folder(tmp_path / "folder") as part:
            (part / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not any(tmp_path.iterdir())
