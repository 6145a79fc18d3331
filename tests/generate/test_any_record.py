import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.any_record import read_any_record
from mindone_tcd.generate.generated_clip import GeneratedClip
from mindone_tcd.generate.generated_image import GeneratedImage

RECORD = {"prompt": "红圆", "seed": 3}
FRAMES = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]


def test_the_content_decides_on_the_format(tmp_path):
    paths = [
        GeneratedImage(FRAMES[0], RECORD).save(tmp_path / "a.png"),
        GeneratedClip(FRAMES, RECORD).save(tmp_path / "b.png"),
        GeneratedClip(FRAMES, RECORD).save(tmp_path / "c.gif"),
    ]
    for path in paths:
        assert read_any_record(path) == RECORD
        assert read_any_record(str(path.rename(path.with_suffix(".jpg")))) == RECORD


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is neither a PNG nor a GIF file; pass a PNG or GIF that mindone-tcd wrote"),
        (b"\0\0\0\x20ftypisom", "is an MP4 file, which contains no record; pass"),
        (b"\x89PNG\r\n\x1a\n", "its header is damaged"),
        (b"GIF89a", "it is truncated"),
        (b"GIF88a" + bytes(10), "is neither"),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_any_record(path)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="is a folder; pass a PNG or GIF"):
        read_any_record(tmp_path)
    with pytest.raises(UsageError, match="no file"):
        read_any_record(tmp_path / "a.png")
