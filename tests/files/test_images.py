import hashlib
import io
import os
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from web import serve

from mindone_tcd.errors import UsageError, UsageWarning
from mindone_tcd.files import images
from mindone_tcd.files.images import InputImage, fit_mask, open_image, open_mask

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    """A test that expects no warning fails at one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, color: int, rows: bytes, *others: bytes) -> bytes:
    """A PNG file from its uncompressed rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(others) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND")


def written(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def refused(source, message: str, what: str = "image", opens=open_image) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        opens(source, what)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.fixture
def file(tmp_path):
    """A function that writes a file and returns its path as a text."""

    def write(content: bytes, name: str = "a.png") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def array(opened: InputImage) -> np.ndarray:
    assert opened.image.mode == "RGB"
    assert opened.image.info == {}
    return np.asarray(opened.image)


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP", "GIF", "JPEG"])
def test_files_of_each_format(file, form):
    content = written(Image.fromarray(PIXELS), form, **({"lossless": True} if form == "WEBP" else {}))
    path = file(content, "a.anything")
    opened = open_image(path, "image")
    assert opened.name == path
    assert opened.sha256 == hashlib.sha256(content).hexdigest()
    if form in ("GIF", "JPEG"):  # a palette, and a lossy format
        assert array(opened).shape == PIXELS.shape
    else:
        assert (array(opened) == PIXELS).all()
    assert open_image(Path(path), "image").name == path


def test_a_url(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    content = written(Image.fromarray(PIXELS), "PNG")
    with serve({"/a.png": content, "/page": b"<html>", "/empty": b""}) as url:
        opened = open_image(f"{url}/a.png", "image")
        assert (opened.name, opened.sha256) == (f"{url}/a.png", hashlib.sha256(content).hexdigest())
        assert (array(opened) == PIXELS).all()
        refused(f"{url}/page", "control 'http://127.*/page' is not a PNG, JPEG", "control")
        refused(f"{url}/empty", r"is empty \(0 bytes\)")
        refused(f"{url}/none", "cannot be downloaded .*404")
        monkeypatch.setattr(images, "MOST_BYTES", 10)
        refused(f"{url}/a.png", "has more than 10 bytes")
    refused("file:///etc/hosts", "is not a URL of http:// or https://")


def test_pixels_from_python():
    image = Image.fromarray(PIXELS)
    opened = [
        open_image(source, "image")
        for source in (image, PIXELS, PIXELS / 255, (PIXELS / 255).astype(np.float16), np.asfortranarray(PIXELS))
    ]
    for each in opened:
        assert (array(each) == PIXELS).all()
        assert each.name is None
    assert {each.sha256 for each in opened} == {hashlib.sha256(b"RGB 12x9 " + PIXELS.tobytes()).hexdigest()}
    opened[0].image.putpixel((0, 0), RED)
    assert image.getpixel((0, 0)) != RED, "the user's image was changed"
    assert open_image(PIXELS[::-1], "image").sha256 != opened[0].sha256


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "image has the type NoneType; expected a path, a URL, a PIL image, or a NumPy array"),
        (b"a.png", "image has the type bytes; expected a path"),
        ([PIXELS], "expected a path"),
        (PIXELS[:, :, 0], r"the image is an array of shape \(9, 12\); expected \(H, W, 3\)"),
        (PIXELS[None], r"an array of shape \(1, 9, 12, 3\); expected"),
        (np.zeros((9, 9, 4), np.uint8), r"an array of shape \(9, 9, 4\); expected"),
        (np.zeros((9, 0, 3), np.uint8), "the image has 0x9 pixels; expected 8 to 32768"),
        (PIXELS.astype(np.int64), "the image is an array of int64; expected uint8, or float from 0 to 1"),
        (PIXELS > 3, "the image is an array of bool; expected uint8"),
        (PIXELS.astype(object), "an array of object; expected uint8"),
        (PIXELS.astype(np.float32), "an array of floats with values from 0 to 255; expected 0 to 1: scale the values"),
        (PIXELS / 255 - 0.1, "with values from -0.1 to 0.9; expected 0 to 1"),
        (np.full((9, 9, 3), np.nan), "with values from nan to nan"),
        (np.full((9, 9, 3), np.inf), "with values from inf to inf"),
    ],
)
def test_sources_that_are_no_image(source, message):
    refused(source, message)


def test_a_closed_image(file):
    image = Image.open(file(written(Image.fromarray(PIXELS), "PNG")))
    image.close()
    refused(image, "the image cannot be decoded")


def test_paths_that_cannot_be_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "no.png", r"image '.*no\.png' does not exist; pass the path of a PNG, JPEG, WebP, BMP or GIF")
    refused(tmp_path, "is a folder; pass a PNG")
    refused(tmp_path / "pipe", "is not a regular file")
    for name in ("", "a" * 5000, "a\0b", "a\nb", "\udcff"):
        refused(name, "does not exist")

    def fail(*_arguments):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(images, "open", fail, raising=False)
    refused(tmp_path / "a.png", r"a\.png' cannot be read \(Permission denied\); check its permissions")


def test_a_file_of_too_many_bytes(file, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    refused(file(bytes(11)), "has more than 10 bytes; pass a smaller file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\); pass a PNG"),
        (b"no image", "is not a PNG, JPEG, WebP, BMP or GIF image, or its beginning is damaged; convert it to PNG"),
        (b"\x89PNG\r\n\x1a\n", "is not a PNG|cannot be decoded"),
        (b"GIF89a", "is not a PNG|cannot be decoded"),
        (b"\xff\xd8\xff", "is not a PNG|cannot be decoded"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "is not a PNG|cannot be decoded"),
        (b"BM", "is not a PNG|cannot be decoded"),
        (png(8, 8, 8, 2, bytes(24)), "cannot be decoded .*truncated"),
        (b"<svg></svg>", "is not a PNG"),
    ],
)
def test_files_that_are_no_image(file, content, message):
    refused(file(content), message)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_truncated_files(file, form):
    content = written(Image.fromarray(np.tile(PIXELS, (8, 8, 1))), form)
    for length in (len(content) // 2, len(content) * 3 // 4):
        refused(file(content[:length], "a.jpg"), "is not a PNG|cannot be decoded")


def test_no_other_format_is_opened(file, monkeypatch):
    def start(*_arguments, **_options):
        raise AssertionError("Ghostscript would have been started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    for form in ("EPS", "TIFF", "PPM", "ICO", "TGA", "PCX"):
        refused(file(written(Image.fromarray(PIXELS), form)), "is not a PNG, JPEG, WebP, BMP or GIF image")


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_000, 10_000), (1 << 15, 1 << 15), (1 << 31, 1 << 31), ((1 << 15) + 1, 8), (8, (1 << 15) + 1), (7, 8), (8, 7)],
)
def test_sizes_outside_the_limits_are_refused_before_decoding(file, width, height):
    rows = bytes(1 << 24)
    path = file(png(width, height, 8, 2, rows))
    tracemalloc.start()
    refused(path, "has too many pixels; expected 8 to 32768|has [0-9x]+ pixels; expected 8 to 32768|is not a PNG")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 << 20


def test_the_message_states_the_size(file):
    refused(
        file(png(9000, 9000, 8, 2, b"")),
        r"a\.png' has 9000x9000 pixels; expected 8 to 32768 pixels per side and at most 67108864 pixels; resize it",
    )
    refused(np.broadcast_to(np.uint8(0), (9000, 9000, 3)), "the image has 9000x9000 pixels; expected 8 to 32768")
    refused(Image.new("1", (9000, 9000)), "the image has 9000x9000 pixels; expected 8 to 32768")
    assert open_image(Image.new("1", (1 << 15, 8)), "image").image.size == (1 << 15, 8)


def test_a_canvas_of_an_animation_that_is_too_large(file):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    content = bytearray(written(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    content[24:30] = b"\xff\xff\0" * 2
    refused(file(content), "has too many pixels|has [0-9x]+ pixels|cannot be decoded")


def test_compressed_texts_are_not_unpacked(file):
    """Pillow limits them; the error is one line."""
    for kind in (b"zTXt", b"iCCP"):
        bomb = chunk(kind, b"x\0\0" + zlib.compress(bytes(1 << 26), 9))
        refused(file(png(8, 8, 8, 2, bytes(8 * 25), bomb)), "cannot be decoded")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_exif_orientation_is_applied(file, form, orientation):
    upright = np.zeros((32, 16, 3), np.uint8)
    upright[:16, :8], upright[16:, 8:] = RED, WHITE
    transposed = orientation > 4
    stored = upright.transpose(1, 0, 2) if transposed else upright
    flips = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}
    down, across = flips[orientation]
    stored = np.ascontiguousarray(stored[::down, ::across])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = file(written(Image.fromarray(stored), form, exif=exif, quality=100))
    assert np.abs(array(open_image(path, "image")).astype(int) - upright).mean() < 20  # JPEG blurs the edges
    with Image.open(path) as image:
        assert (array(open_image(image, "image")) == array(open_image(path, "image"))).all()


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 7, 12, 99])  # text, integers, a fraction, bytes, a double, no type
@pytest.mark.parametrize("value", [0, 9, 1 << 31])
def test_an_invalid_orientation_is_ignored(file, kind, value):
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, kind, 1, value) + bytes(4)
    path = file(written(Image.fromarray(PIXELS), "PNG", exif=exif))
    assert (array(open_image(path, "image")) == PIXELS).all()


def test_damaged_exif_data_is_ignored(file):
    for exif in (b"Exif\0\0MM\0*\0\0\0\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0"):
        path = file(written(Image.fromarray(PIXELS), "JPEG", exif=exif), "a.jpg")
        assert array(open_image(path, "image")).shape == PIXELS.shape


@pytest.mark.parametrize(
    "make",
    [
        lambda half: half,
        lambda half: half.convert("LA"),
        lambda half: half.convert("RGBa"),
        lambda half: half.convert("LA").convert("La"),
        lambda half: half.quantize(4),
    ],
)
def test_an_alpha_channel_is_put_on_white(file, make):
    half = Image.new("RGBA", (16, 16), (0, 0, 0, 255))
    half.paste((0, 0, 0, 0), (0, 0, 8, 16))
    image = make(half)
    sources = [image] if image.mode in ("RGBa", "La") else [image, file(written(image, "PNG"))]
    for source in sources:
        with pytest.warns(UsageWarning, match="has an alpha channel; it was put on white") as seen:
            opened = array(open_image(source, "image"))
        assert len(seen) == 1
        assert seen[0].filename == __file__
        assert (opened[:, :8] == 255).all()
        assert (opened[:, 8:] == 0).all()


def test_half_transparency_is_blended(file):
    path = file(written(Image.new("RGBA", (8, 8), (255, 0, 0, 51)), "PNG"))
    with pytest.warns(UsageWarning, match=r"image '.*a\.png' has an alpha channel"):
        assert array(open_image(path, "image"))[0, 0].tolist() == [255, 204, 204]


def test_an_opaque_alpha_channel_causes_no_warning(file):
    for mode in ("RGBA", "LA"):
        path = file(written(Image.fromarray(PIXELS).convert("L").convert(mode), "PNG"))
        assert array(open_image(path, "image")).shape == PIXELS.shape


@pytest.mark.parametrize(
    ("depth", "color", "row", "transparent"),
    [
        (8, 0, bytes([0, 90] * 4), b"\0\x5a"),
        (8, 2, bytes([0, 0, 0, 90, 90, 90] * 4), b"\0\x5a" * 3),
        (16, 0, struct.pack(">HH", 0, 40_000) * 4, struct.pack(">H", 40_000)),
    ],
)
def test_a_transparent_color(file, depth, color, row, transparent):
    path = file(png(8, 8, depth, color, (b"\0" + row) * 8, chunk(b"tRNS", transparent)))
    with pytest.warns(UsageWarning, match="alpha channel"):
        opened = array(open_image(path, "image"))
    assert (opened[:, 1::2] == 255).all()
    assert (opened[:, ::2] == 0).all()


def test_levels_of_16_bits_are_scaled(file):
    levels = np.array([0, 128, 129, 257, 32_768, 65_278, 65_535, 1000], np.uint16)
    expected = np.rint(levels / 257)
    path = file(png(8, 8, 16, 0, (b"\0" + levels.astype(">u2").tobytes()) * 8))
    rows = np.tile(levels, (8, 1))
    sources = [path, Image.fromarray(rows), Image.fromarray(rows.astype(np.int32)), Image.fromarray(rows.astype(">u2"))]
    sources.append(Image.fromarray((rows / 65535).astype(np.float32)))
    for source in sources:
        assert (array(open_image(source, "image"))[..., 1] == expected).all()
    color = np.repeat(rows[:, :, None], 3, 2).astype(">u2")
    path = file(png(8, 8, 16, 2, b"".join(b"\0" + row.tobytes() for row in color)))
    assert np.abs(array(open_image(path, "image"))[..., 0] - expected).max() <= 1  # Pillow truncates


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((8, 8), 70_000, np.int32), "the image is of mode I with values from 70000 to 70000; expected 0 to 65"),
        (np.full((8, 8), -1, np.int32), "of mode I with values from -1 to -1"),
        (np.full((8, 8), 255, np.float32), "of mode F with values from 255 to 255; expected 0 to 1: scale the values"),
        (np.full((8, 8), np.nan, np.float32), "of mode F with values from nan to nan"),
    ],
)
def test_levels_outside_their_range(values, message):
    refused(Image.fromarray(values), message)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_other_modes_become_rgb(file, mode):
    blocks = np.zeros((16, 16, 3), np.uint8)
    blocks[:8] = 255
    image = Image.fromarray(blocks).convert(mode)
    sources = [image]
    if mode in ("1", "L", "P"):
        sources.append(file(written(image, "PNG")))
    if mode == "CMYK":
        sources.append(file(written(image, "JPEG", quality=100)))
    for source in sources:
        assert np.abs(array(open_image(source, "image")).astype(int) - blocks).max() <= 2


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(file, form):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    path = file(written(frames[0], form, save_all=True, append_images=frames[1:]))
    with pytest.warns(UsageWarning, match=r"reference '.*' is animated; its first frame is used") as seen:
        opened = array(open_image(path, "reference"))
    assert len(seen) == 1
    assert np.abs(opened.astype(int) - RED).max() <= 3


def test_an_animation_whose_second_frame_is_damaged(file):
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1])]
    content = written(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.warns(UsageWarning, match="is animated"):
        open_image(file(content[:-60]), "image")


def test_a_jpeg_with_a_preview_is_no_animation(file):
    image = Image.fromarray(np.tile(PIXELS, (4, 4, 1)))
    path = file(written(image, "MPO", save_all=True, append_images=[Image.fromarray(PIXELS)]), "a.jpg")
    with Image.open(path) as file_:
        assert file_.format == "MPO"
    assert array(open_image(path, "image")).shape == (36, 48, 3)


def test_a_limit_of_pillow_below_ours(file, monkeypatch):
    path = file(written(Image.new("RGB", (64, 64)), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    refused(path, "has too many pixels; expected")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # between one and two limits, Pillow only warns
    assert array(open_image(path, "image")).shape == (64, 64, 3)


def test_a_file_damaged_at_any_byte_is_an_image_or_a_one_line_error(file):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(PIXELS)
    outcomes = set()
    for form, options in (
        ("PNG", {"exif": exif}),
        ("JPEG", {"exif": exif}),
        ("WEBP", {"exif": exif, "lossless": True}),
        ("BMP", {}),
        ("GIF", {"save_all": True, "append_images": [image.rotate(180)]}),
    ):
        whole = written(image, form, **options)
        for k in range(0, len(whole), 1 + len(whole) // 300):
            for content in (whole[:k], whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :]):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", UsageWarning)
                        array(open_image(file(content), "image"))
                    outcomes.add("image")
                except UsageError as error:
                    outcomes.add("refused" if "\n" not in str(error) else str(error))
    assert outcomes == {"image", "refused"}


def mask(levels) -> InputImage:
    return open_mask(np.array(levels, np.uint8).repeat(4, 0).repeat(4, 1))


def test_masks_become_gray(file):
    levels = np.zeros((8, 8), np.uint8)
    levels[:4] = 255
    image = Image.fromarray(levels)
    path = file(written(image, "PNG"))
    sources = [image, image.convert("RGB"), image.convert("1"), levels, levels > 0, levels / 255, path]
    sources.append(np.repeat(levels[..., None], 3, 2))
    for source in sources:
        opened = open_mask(source)
        assert opened.image.mode == "L"
        assert (np.asarray(opened.image) == levels).all()
        assert opened.name == (path if source is path else None)
    assert open_mask(image).sha256 == hashlib.sha256(b"L 8x8 " + levels.tobytes()).hexdigest()
    refused(
        levels[None], r"the mask is an array of shape \(1, 8, 8\); expected \(H, W\) or \(H, W, 3\)", "mask", open_mask
    )
    refused("no.png", "mask 'no.png' does not exist", "mask", open_mask)


@pytest.mark.parametrize("color", [WHITE, BLACK, RED])
def test_a_layer_painted_in_one_color_marks_what_is_painted(file, color):
    layer = Image.new("RGBA", (16, 16), (9, 9, 9, 0))
    layer.paste((*color, 255), (0, 0, 8, 16))
    layer.paste((*color, 100), (8, 0, 9, 16))
    path = file(written(layer, "PNG"))
    with pytest.warns(UsageWarning, match=r"mask '.*' has an alpha channel; its transparent pixels mark what stays"):
        levels = np.asarray(open_mask(path).image)
    assert (levels[:, :8] == 255).all()
    assert (levels[:, 8] == 100).all()
    assert (levels[:, 9:] == 0).all()


def test_the_alpha_channel_of_another_mask_is_put_on_black():
    layer = Image.new("RGBA", (16, 16), (255, 255, 255, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 4, 16))
    layer.paste((0, 0, 0, 255), (4, 0, 8, 16))
    with pytest.warns(UsageWarning, match="the mask has an alpha channel"):
        levels = np.asarray(open_mask(layer).image)
    assert (levels[:, :4] == 255).all()
    assert (levels[:, 4:] == 0).all()


def test_a_mask_of_the_right_size_is_returned_as_it_is():
    opened = mask([[0, 128], [255, 3]])
    fitted = fit_mask(opened, (8, 8))
    assert fitted.mode == "L"
    assert (np.asarray(fitted) == np.asarray(opened.image)).all()


def test_a_mask_of_another_size_is_resized_without_new_levels(file):
    path = file(written(mask([[0, 128], [255, 3]]).image, "PNG"))
    with pytest.warns(UsageWarning, match=r"mask '.*a\.png' has 8x8 pixels, but its image has 20x12; it was resized"):
        fitted = fit_mask(open_mask(path), (20, 12))
    assert fitted.size == (20, 12)
    assert set(np.unique(fitted)) == {0, 3, 128, 255}


def test_a_black_mask_is_refused_and_a_white_one_causes_a_warning():
    with pytest.raises(UsageError, match="the mask is black, so there is nothing to change; white marks where"):
        fit_mask(mask([[0, 127], [3, 0]]), (8, 8))
    with pytest.warns(UsageWarning, match="the mask is white, so the whole image changes; black marks what stays"):
        fit_mask(mask([[255, 128], [200, 255]]), (8, 8))


def test_a_warning_that_is_an_error_stays_one():
    with pytest.raises(UsageWarning):
        open_image(Image.new("RGBA", (8, 8)), "image")
