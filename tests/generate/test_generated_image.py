import os

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.generated_image import GeneratedImage, check_grid, check_writable, grid
from mindone_tcd.generate.png_record import read_record
from mindone_tcd.generate.request import Request


def generated() -> GeneratedImage:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    return GeneratedImage(Image.fromarray(pixels), {"prompt": "ein roter Kreis, 红圆", "seed": 3})


def test_the_record_and_pixels_survive_saving(tmp_path):
    path = generated().save(tmp_path / "a.png")
    assert read_record(path) == generated().record
    assert (np.asarray(Image.open(path)) == np.asarray(generated().image)).all()
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_failed_write_keeps_the_existing_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(UsageError, match=r"cannot write .*a\.png: disk full; choose another"):
        generated().save(path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", "images are PNG files"),
        ("no/a.png", "there is no folder"),
        ("folder.png", "it is a folder"),
        (f"{'a' * 252}.png", "File name too long"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match=message):
        check_writable(tmp_path / name)


def test_the_longest_name(tmp_path):
    assert generated().save(tmp_path / f"{'a' * 251}.png").is_file()


def test_save_replaces_a_file_unless_overwrite_is_false(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        generated().save(path, overwrite=False)
    assert path.read_bytes() == b"before"
    generated().save(path)
    assert read_record(path) == generated().record
    assert os.listdir(tmp_path) == ["a.png"]


def request(count: int, side: int, prompt: str = "a red circle") -> Request:
    return Request(prompt, None, tuple(range(count)), 4, 0.0, 0.3, side, side)


def test_a_grid_that_is_too_large_is_refused():
    for fine in (request(4, 8192), request(10_000, 128), request(10, 128, "x" * 100_000)):
        check_grid(fine)
    with pytest.raises(UsageError, match="a grid of 5 images of 8192x8192 has 402653184 pixels, but at most"):
        check_grid(request(5, 8192))
    with pytest.raises(UsageError, match="the record of a grid of 1000 images with these prompts has more than"):
        check_grid(request(1000, 128, "x" * 20_000))


def test_a_grid_contains_every_image():
    whole = grid([GeneratedImage(Image.new("RGB", (4, 3), (k, k, k)), {"seed": k}) for k in range(5)])
    assert whole.record == {"grid": [{"seed": k} for k in range(5)]}
    sheet = np.asarray(whole.image)
    assert sheet.shape == (6, 12, 3)
    assert [sheet[k // 3 * 3, k % 3 * 4, 0] for k in range(5)] == [0, 1, 2, 3, 4]
