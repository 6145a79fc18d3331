import os

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import output_file
from mindone_tcd.generate.output_file import Kind, check_output, check_path, saving

KIND = Kind("sounds are WAV or FLAC files", (".wav", ".flac"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"sounds are WAV or FLAC files; give a name that ends in \.wav or \.flac"),
        ("a", "sounds are WAV"),
        ("no/a.wav", "there is no folder .*no; create it or choose another"),
        ("folder.wav", "it is a folder; give the name of a file"),
    ],
)
def test_names_that_are_refused(tmp_path, name, message):
    (tmp_path / "folder.wav").mkdir()
    for check in (check_path, check_output):
        with pytest.raises(UsageError, match=f"cannot write .*{message}"):
            check(tmp_path / name, KIND)


def test_a_check_leaves_nothing(tmp_path):
    for name in ("a.wav", "b.FLAC"):
        check_output(tmp_path / name, KIND)
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(UsageError, match="File name too long; choose another"):
        check_output(tmp_path / f"{'a' * 252}.wav", KIND)


def test_a_full_disk_is_reported_before_any_work(tmp_path, monkeypatch):
    def fail(_folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output_file, "hidden_file", fail)
    with pytest.raises(UsageError, match="No space left on device; choose another"):
        check_output(tmp_path / "a.wav", KIND)


def test_a_disk_without_space_for_an_image_is_reported_before_any_work(tmp_path, monkeypatch):
    def full(folder):
        (folder / "part").touch()
        return os.open("/dev/full", os.O_WRONLY), folder / "part"

    monkeypatch.setattr(output_file, "hidden_file", full)
    with pytest.raises(UsageError, match="No space left on device; choose another"):
        check_output(tmp_path / "a.wav", KIND)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_keeps_the_existing_file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"before")
    with pytest.raises(UsageError, match=r"cannot write .*a\.wav: the first line; choose"), saving(path, True):
        raise OSError("the first line\nthe second")
    with pytest.raises(FileExistsError), saving(path, False) as stream:
        stream.write(b"after")
    assert path.read_bytes() == b"before"
    with saving(path, True) as stream:
        stream.write(b"after")
    assert path.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["a.wav"]
