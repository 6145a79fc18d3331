"""GIFs of images and arrays."""

import numpy as np
import PIL.Image
import pytest
from mindone.diffusers.utils import export_to_gif

from mindone_tcd import UsageError

RNG = np.random.default_rng(0)
BYTES = (RNG.integers(0, 2, (3, 8, 10, 3)) * 255).astype(np.uint8)


def read(path):
    with PIL.Image.open(path) as gif:
        for k in range(gif.n_frames):
            gif.seek(k)
            yield np.array(gif.convert("RGB"))


@pytest.mark.parametrize(
    "frames",
    [
        [PIL.Image.fromarray(frame) for frame in BYTES],
        list(BYTES),
        BYTES,
        list(BYTES / 255),
        (BYTES / 255).astype(np.float16),
    ],
    ids=["images", "list of bytes", "array of bytes", "list of floats", "array of floats"],
)
def test_every_kind_of_frames(frames, tmp_path):
    path = str(tmp_path / "a.gif")
    assert export_to_gif(frames, path) == path
    np.testing.assert_array_equal(list(read(path)), BYTES)


def test_rounding_equals_that_of_pipelines(tmp_path):
    level = np.full((2, 8, 8, 3), 100.6 / 255)
    level[1] = 0
    first = next(iter(read(export_to_gif(level, str(tmp_path / "a.gif")))))
    assert first.max() == first.min() == 101


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([BYTES], r"shape \(3, 8, 10, 3\)"),
        ([[BYTES[0]]], "a list"),
        (list(BYTES / 128), "0, 1"),
        (list(np.full((1, 4, 4, 3), np.nan)), "0, 1"),
        (list(BYTES.transpose(0, 3, 1, 2)), r"shape \(3, 8, 10\)"),
        (list(BYTES.astype(np.int64)), "int64"),
    ],
)
def test_invalid_frames_are_refused(frames, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export_to_gif(frames, str(tmp_path / "a.gif"))
    assert not list(tmp_path.iterdir())
