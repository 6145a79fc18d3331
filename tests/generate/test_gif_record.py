"""Records of untrusted GIF files: errors are one line, and nothing large is read."""

import io
import json
import tracemalloc

import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import gif_record
from mindone_tcd.generate.gif_record import read_gif_record

RECORD = b'{"prompt": "a red circle", "seed": 3}'
HEADER = b"GIF89a\x08\0\x08\0\x80\0\0" + bytes(6)  # a global table of 2 colors
END = b"\x3b"


def sub_blocks(content: bytes, length: int = 255) -> bytes:
    parts = [content[k : k + length] for k in range(0, len(content), length)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def comment(content: bytes, length: int = 255) -> bytes:
    return b"\x21\xfe" + sub_blocks(content, length)


def stored(record: bytes, length: int = 255) -> bytes:
    return comment(b"mindone-tcd: " + record, length)


def extension(label: int, content: bytes) -> bytes:
    return b"\x21" + bytes([label]) + sub_blocks(content)


LZW = b"\x02" + sub_blocks(b"\x84\x8f\xa9\xcb\xed\x0f")
IMAGE = b"\x2c" + b"\0\0\0\0\x08\0\x08\0\0" + LZW
IMAGE_WITH_COLORS = b"\x2c" + b"\0\0\0\0\x08\0\x08\0\x87" + bytes(768) + LZW


@pytest.fixture
def gif(tmp_path):
    """A file of blocks, with a default header and end."""

    def write(*blocks: bytes, start: bytes = HEADER, end: bytes = END):
        path = tmp_path / "a.gif"
        path.write_bytes(start + b"".join(blocks) + end)
        return path

    return write


def refused(path, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_gif_record(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_records_are_found_among_all_blocks(gif):
    loop, timing = extension(0xFF, b"NETSCAPE2.0\x03\x01\0\0"), extension(0xF9, bytes(4))
    expected = json.loads(RECORD)
    for blocks in (
        [stored(RECORD), IMAGE],
        [loop, timing, IMAGE, timing, IMAGE_WITH_COLORS, stored(RECORD)],
        [comment(b"by somebody"), comment(b""), comment(b"mindone-tc"), stored(RECORD, 1), IMAGE],
        [extension(0x01, b"mindone-tcd: {}"), stored(RECORD), IMAGE],
    ):
        assert read_gif_record(gif(*blocks)) == expected
    assert read_gif_record(str(gif(stored(RECORD), start=b"GIF87a\x08\0\x08\0\0\0\0"))) == expected
    assert read_gif_record(gif(stored(RECORD), end=END + stored(RECORD) + b"after the end")) == expected


def test_files_of_other_programs(tmp_path):
    path = tmp_path / "a.gif"
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], comment=b"mindone-tcd: " + RECORD)
    assert read_gif_record(path) == json.loads(RECORD)
    frames[0].save(path, save_all=True, append_images=frames[1:], comment=b"a comment")
    refused(path, "has no record of how it was generated: only GIFs that mindone-tcd wrote")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not a GIF file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "it is not a GIF file"),
        (b"GIF88a" + HEADER[6:] + END, "it is not a GIF file"),
        (b"GIF89a", "it is truncated"),
        (HEADER[:-1], "it is truncated"),
        (HEADER, "it is truncated"),
        (b"GIF89a\0\0\x08\0\0\0\0" + END, "it states 0x8 pixels"),
        (HEADER + stored(RECORD), "it is truncated"),
        (HEADER + stored(RECORD)[:-1], "it is truncated"),
        (HEADER + stored(RECORD)[:20] + END, "it is truncated"),
        (HEADER + b"\x21", "it is truncated"),
        (HEADER + b"\x21\xfe", "it is truncated"),
        (HEADER + b"\x21\xfe\xff", "it is truncated"),
        (HEADER + b"\x2c\0\0", "it is truncated"),
        (HEADER + IMAGE_WITH_COLORS[:500], "it is truncated"),
        (HEADER + IMAGE[:10], "it is truncated"),
        (HEADER + b"\0" + END, "a block has the unknown kind 0"),
        (HEADER + IMAGE + END, "has no record"),
        (HEADER + stored(RECORD) * 2 + END, "has several records; expected one"),
        (HEADER + stored(RECORD) + IMAGE + stored(b"{}") + END, "has several records; expected one"),
        (HEADER + comment(b"hi") * 65 + END, "it has more than 64 comments"),
        (HEADER + stored(b"nothing") + END, "the record in .* cannot be read"),
        (HEADER + stored(b'{"seed": 1, "seed": 2}') + END, "it has a duplicate key"),
        (HEADER + stored(b"[" * 100_000) + END, "nested too deeply"),
        (HEADER + stored(b'{"seed": -1}') + END, "seed is -1; expected an integer"),
        (HEADER + stored(b'"text"') + END, "is 'text'; expected an object"),
    ],
)
def test_files_that_are_damaged_or_no_gif(tmp_path, content, message):
    path = tmp_path / "a.gif"
    path.write_bytes(content)
    refused(path, message)


def test_a_large_record_is_not_read_to_its_end(gif):
    path = gif(stored(b"x" * (100 << 20)), IMAGE)
    tracemalloc.start()
    refused(path, "it has a record of more than 16777216 bytes")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 32 << 20, "100 MB were read"


def test_large_comments_of_other_programs_are_skipped(gif):
    path = gif(comment(b"mindone-tcX" + b"x" * (20 << 20)), stored(RECORD), IMAGE)
    tracemalloc.start()
    assert read_gif_record(path)["seed"] == 3
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20


def test_sub_blocks_without_an_end(gif):
    refused(gif(b"\x21\xf9" + b"\1x" * (gif_record._MOST_SUB_BLOCKS + 1)), "it has more than 1048576 sub-blocks")
    refused(gif(b"\x21\xfe" + b"\1x" * 1000, end=b""), "it is truncated")


def test_too_many_blocks(gif):
    refused(gif(extension(0xF9, b"") * ((1 << 16) + 1)), "it has more than 65536 blocks")


def test_no_pixel_is_decoded(gif, monkeypatch):
    def decode(*_arguments, **_options):
        raise AssertionError("an image was opened")

    monkeypatch.setattr(Image, "open", decode)
    huge = b"GIF89a\xff\xff\xff\xff\0\0\0"
    assert read_gif_record(gif(stored(RECORD), IMAGE, start=huge))["seed"] == 3


def test_a_file_damaged_at_any_byte_gives_its_record_or_a_one_line_error(gif):
    stream = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], comment=b"mindone-tcd: " + RECORD)
    whole = stream.getvalue()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [whole[:k] + bytes([whole[k] ^ flip]) + whole[k + 1 :] for k in range(len(whole)) for flip in (1, 255)]
    outcomes = set()
    for content in damaged:
        try:
            outcomes.add(type(read_gif_record(gif(start=b"", end=content))))
        except UsageError as error:
            outcomes.add("refused" if "\n" not in str(error) else str(error))
    assert outcomes == {dict, "refused"}  # GIF has no checksums: a damaged text may be another record
