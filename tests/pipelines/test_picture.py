import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mindone_tcd.errors import UsageError
from mindone_tcd.pipelines.picture import Picture, check_grid, check_writable, grid
from mindone_tcd.pipelines.png_record import read_record


def picture() -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    return Picture(Image.fromarray(pixels), {"prompt": "ein roter Kreis, 红圆", "seed": 3})


def test_the_record_comes_back_with_the_same_pixels(tmp_path):
    path = picture().save(tmp_path / "a.png")
    assert read_record(path) == picture().record
    assert (np.asarray(Image.open(path)) == np.asarray(picture().image)).all()
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(UsageError, match=r"cannot write .*a\.png: disk full; choose another"):
        picture().save(path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", "pictures are PNG files"),
        ("no/a.png", "there is no folder"),
        ("folder.png", "it is a folder"),
        (f"{'a' * 252}.png", "File name too long"),
    ],
)
def test_places_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match=message):
        check_writable(tmp_path / name)


def test_the_longest_name(tmp_path):
    assert picture().save(tmp_path / f"{'a' * 251}.png").is_file()


def test_a_full_disk_is_told_before_any_work(tmp_path, monkeypatch):
    def fail(**_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", fail)
    with pytest.raises(UsageError, match="No space left on device; choose another"):
        check_writable(tmp_path / "a.png")


def test_a_disk_without_room_for_a_picture_is_told_before_any_work(tmp_path, monkeypatch):
    def full(**options):
        (tmp_path / "part").touch()
        return os.open("/dev/full", os.O_WRONLY), str(tmp_path / "part")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(UsageError, match="No space left on device; choose another"):
        check_writable(tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_pictures_that_cannot_be_opened(tmp_path, monkeypatch):
    path = picture().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    with pytest.raises(UsageError, match=r"a\.png cannot be read as a picture \(Image size \(64 pixels\) exceeds"):
        read_record(path)
    monkeypatch.undo()
    big = PngImagePlugin.PngInfo()
    big.add_text("other", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    picture().image.save(path, pnginfo=big)
    with pytest.raises(UsageError, match=r"a\.png cannot be read as a picture \(Decompressed data too large"):
        read_record(path)
    with pytest.raises(UsageError, match="no file"):
        read_record("a" * 300)


def test_files_without_a_record(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        read_record(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        read_record(tmp_path / "text.png")
    picture().image.save(tmp_path / "plain.png")
    with pytest.raises(UsageError, match="carries no record"):
        read_record(tmp_path / "plain.png")


def test_a_grid_holds_every_picture():
    whole = grid([Picture(Image.new("RGB", (4, 3), (k, k, k)), {"seed": k}) for k in range(5)])
    assert whole.record == {"grid": [{"seed": k} for k in range(5)]}
    sheet = np.asarray(whole.image)
    assert sheet.shape == (6, 12, 3)
    assert [sheet[k // 3 * 3, k % 3 * 4, 0] for k in range(5)] == [0, 1, 2, 3, 4]
