"""The output folder: checked before any work, and written as a whole."""

import os

import pytest
from PIL import Image

from mindone_tcd import UsageError
from mindone_tcd.compare import folder
from mindone_tcd.compare.folder import output_folder, write_folder
from mindone_tcd.storage import atomic_files

FILES = {"a.md": "text\n", "b.png": Image.new("RGB", (2, 2))}


@pytest.mark.parametrize("exists", [True, False])
def test_all_files_are_written(tmp_path, exists):
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    assert output_folder(out) == out
    write_folder(out, FILES)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert (out / "a.md").read_text() == "text\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert out.stat().st_mode & 0o777 == 0o777 & ~atomic_files._umask()


def test_default_names_are_new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert output_folder(None).name == "comparison"
    (tmp_path / "comparison").mkdir()
    assert output_folder(None).name == "comparison-2"


def test_refusals(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for out, message in (
        (file, "it is a file"),
        (tmp_path, "is not empty"),
        (tmp_path / "none" / "out", "there is no folder"),
    ):
        with pytest.raises(UsageError, match=message):
            output_folder(out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        output_folder(tmp_path / "out")


def test_after_an_error_nothing_is_left(tmp_path, monkeypatch):
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "rename", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_folder(tmp_path / "out", FILES)
    assert list(tmp_path.iterdir()) == []
