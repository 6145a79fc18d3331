"""Records of untrusted files: errors are one line, and nothing large is read or computed."""

import json
import struct
import tracemalloc
import zlib

import pytest
from PIL import EpsImagePlugin, Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import png_record
from mindone_tcd.generate.png_record import png_size, read_record

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECORD = b'{"prompt": "a red circle", "seed": 3}'


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int = 8, height: int = 8) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def itxt(text: bytes, keyword: bytes = b"mindone-tcd", compressed: bool = False) -> bytes:
    flag, text = (b"\1", zlib.compress(text, 9)) if compressed else (b"\0", text)
    return chunk(b"iTXt", keyword + b"\0" + flag + b"\0\0\0" + text)


def ztxt(text: bytes, keyword: bytes = b"mindone-tcd") -> bytes:
    return chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text, 9))


PIXELS = chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
END = chunk(b"IEND")


@pytest.fixture
def png(tmp_path):
    """A file of chunks, with a default header and end."""

    def write(*chunks: bytes, start: bytes = SIGNATURE + header(), end: bytes = END):
        path = tmp_path / "a.png"
        path.write_bytes(start + b"".join(chunks) + end)
        return path

    return write


def refused(path, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_records_are_found_before_and_after_the_pixels(png):
    expected = json.loads(RECORD)
    for chunks in (
        [itxt(RECORD), PIXELS],
        [PIXELS, itxt(RECORD)],
        [itxt(b"by somebody", b"Author"), ztxt(b"by nobody", b"Title"), itxt(RECORD), PIXELS],
        [itxt(RECORD, compressed=True), PIXELS],
        [ztxt(RECORD), PIXELS],
        [chunk(b"tEXt", b"mindone-tcd\0" + RECORD), PIXELS],
    ):
        assert read_record(png(*chunks)) == expected
    with Image.open(png(itxt(RECORD), PIXELS)) as image:
        image.load()  # so other readers accept these PNG files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not a PNG file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n", "it is not a PNG file"),
        (b"GIF89a", "it is not a PNG file"),
        (SIGNATURE, "its header is damaged"),
        (SIGNATURE + header()[:-1] + b"x", "its header is damaged"),
        (SIGNATURE + PIXELS + header() + END, "its header is damaged"),
        (SIGNATURE + header(0, 8) + itxt(RECORD) + END, "it states 0x8 pixels"),
        (SIGNATURE + header(8, 1 << 20) + itxt(RECORD) + END, "it states 8x1048576 pixels; at most 131072"),
        (SIGNATURE + header() + itxt(RECORD), "it is truncated"),
        (SIGNATURE + header() + itxt(RECORD)[:-10], "it is truncated"),
        (SIGNATURE + header() + itxt(RECORD) + b"\x7f\xff\xff\xffIDAT", "it is truncated"),
        (SIGNATURE + header() + itxt(RECORD)[:-1] + b"x" + END, "a text chunk is damaged"),
        (SIGNATURE + header() + chunk(b"iTXt", b"mindone-tcd\0\0\0en") + END, "a text chunk is truncated"),
        (SIGNATURE + header() + chunk(b"zTXt", b"x\0\0nothing") + END, "a text chunk cannot be decompressed"),
        (SIGNATURE + header() + itxt(b"hi", b"Title") * 65 + END, "it has more than 64 text chunks"),
        (SIGNATURE + header() + PIXELS + END, "has no record"),
        (SIGNATURE + header() + itxt(RECORD) * 2 + END, "has several records; expected one"),
    ],
)
def test_files_that_are_damaged_or_no_png(tmp_path, content, message):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    refused(path, message)


def test_no_file_of_another_format_is_opened(tmp_path, monkeypatch):
    def start(*_arguments, **_options):
        raise AssertionError("Ghostscript would have been started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    refused(path, "it is not a PNG file")
    for other in ("JPEG", "GIF", "TIFF"):
        Image.new("RGB", (8, 8)).save(path, other)
        refused(path, "it is not a PNG file")


def test_no_pixel_is_decoded_for_a_record(png, monkeypatch):
    def decode(*_arguments, **_options):
        raise AssertionError("an image was opened")

    monkeypatch.setattr(Image, "open", decode)
    path = png(itxt(RECORD), chunk(b"IDAT", b"no pixels"), start=SIGNATURE + header(30_000, 30_000))
    assert read_record(path)["seed"] == 3
    assert png_size(path) == (30_000, 30_000)


@pytest.mark.parametrize(
    "bomb", [itxt(bytes(1 << 28), compressed=True), ztxt(bytes(1 << 28)), ztxt(bytes(1 << 28), b"Title")]
)
def test_decompression_bombs_are_refused_and_not_unpacked(png, bomb):
    path = png(itxt(RECORD, b"other"), bomb)
    tracemalloc.start()
    refused(path, "a compressed text has more than 1048576 bytes")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16 << 20, "256 MB were unpacked"


def test_a_record_of_too_many_bytes(png, monkeypatch):
    monkeypatch.setattr(png_record, "MOST_TEXT", 10)
    refused(png(itxt(bytes(2000))), "it has a text of 2016 bytes; at most 10")


def test_too_many_chunks(png, monkeypatch):
    monkeypatch.setattr(png_record, "_MOST_CHUNKS", 10)
    refused(png(itxt(RECORD), PIXELS * 10), "it has more than 10 chunks")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"nothing", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"seed": NaN}', "NaN is not a JSON number"),
        (b'{"eta": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"eta": 1e999}', "a number is too large or too long"),
        (b'{"seed": 1' + b"0" * 5000 + b"}", "a number has 5001 digits; at most 100"),
        (b'{"seed": 1, "seed": 2}', "it has a duplicate key"),
        (b'{"other": {"a": 1, "a": 1}}', "it has a duplicate key"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"other": ' + b"[" * 50 + b"]" * 50 + b"}", "nested too deeply"),
        (b'"text"', "is 'text'; expected an object"),
        (b"[1]", r"is \[1\]; expected an object"),
        (b'{"prompt": 5}', "prompt is 5; expected a string"),
        (b'{"prompt": "' + b"x" * (1 << 20) + b'y"}', "prompt is 'xx.*expected a string of at most"),
        (b'{"seed": -1}', "seed is -1; expected an integer"),
        (b'{"seed": true}', "seed is True; expected an integer"),
        (b'{"seed": 1.5}', "seed is 1.5; expected an integer"),
        (b'{"batch_seeds": []}', r"batch_seeds is \[\]; expected a list of 1 to 10000"),
        (b'{"batch_seeds": [' + b"1," * 10_000 + b"1]}", r"batch_seeds is \[1, 1, .*…; expected a list of 1 to 10000"),
        (b'{"batch_seeds": ["x"]}', "a seed is 'x'"),
        (b'{"steps": 51}', "steps is 51; expected an integer from 1 to 50"),
        (b'{"width": 8193}', "width is 8193; expected an integer from 1 to 8192"),
        (b'{"height": "8"}', "height is '8'; expected an integer"),
        (b'{"guidance_scale": "2"}', "guidance_scale is '2'; expected a number"),
        (b'{"eta": 2}', "eta is 2; expected a number from 0 to 1"),
        (b'{"method": "../lcm"}', "method is '../lcm'; expected one of: tcd, lcm"),
        (b'{"dtype": ["float32"]}', r"dtype is \['float32'\]; expected one of"),
        (b'{"compile": "all"}', "compile is 'all'"),
        (b'{"compile": 1}', "compile is 1; expected"),
        (b'{"model": ["x"]}', r"model is \['x'\]; expected a string"),
        (b'{"model_from": "web"}', "model_from is 'web'; expected one of"),
        (b'{"model_sha256": "12"}', "model_sha256 is '12'; expected 64"),
        (b'{"versions": {"numpy": 2}}', "an entry of versions is 2; expected a string"),
        (b'{"grid": []}', r"grid is \[\]; expected a list"),
        (b'{"grid": [{"steps": 0}]}', "record 1 of the grid cannot be used: steps is 0"),
        (b'{"grid": [{"grid": []}]}', "expected the record of one image"),
        (b'{"prompt": "\\u001b[31m\\u202e", "seed": "\\u001b[31m\\u202e\\n"}', r"seed is '\\x1b\[31m\\u202e\\n'"),
    ],
)
def test_texts_that_are_no_record(png, text, message):
    refused(png(itxt(text)), message)


def test_the_largest_seeds_survive_saving(png):
    seed = 10**100 - 1
    assert read_record(png(itxt(json.dumps({"seed": seed}).encode()))) == {"seed": seed}


def test_fields_of_later_versions_are_preserved(png):
    record = {"seed": 1, "later": {"a": [1, 2.5, None, True]}}
    assert read_record(png(itxt(json.dumps(record).encode()))) == record


def test_a_file_damaged_at_any_byte_gives_its_record_or_a_one_line_error(png):
    whole = png(itxt(RECORD), ztxt(b"by nobody", b"Title"), PIXELS).read_bytes()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [whole[:k] + bytes([whole[k] ^ flip]) + whole[k + 1 :] for k in range(len(whole)) for flip in (1, 255)]
    outcomes = set()
    for content in damaged:
        path = png(start=b"", end=content)
        try:
            assert read_record(path) == json.loads(RECORD)
            outcomes.add("record")
        except UsageError:
            outcomes.add("refused")
    assert outcomes == {"record", "refused"}
