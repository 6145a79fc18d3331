import numpy as np
import pytest
from PIL import Image, ImageFont

import mindone_tcd
from mindone_tcd.errors import UsageError
from mindone_tcd.generate import contact_sheet as module
from mindone_tcd.generate.contact_sheet import contact_sheet
from mindone_tcd.generate.generated_image import GeneratedImage

COLORS = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)


def images(rows=2, columns=3, size=(64, 48)):
    colors = iter(COLORS)
    return [[Image.new("RGB", size, next(colors)) for _ in range(columns)] for _ in range(rows)]


def boxes(sheet):
    """Where each color of the images is: left, top, right, bottom."""
    pixels = np.asarray(sheet)
    found = {}
    for color in COLORS:
        y, x = np.nonzero((pixels == color).all(axis=2))
        found[color] = (x.min(), y.min(), x.max() + 1, y.max() + 1)
    return found


def dark(sheet, box):
    """Whether a text is in a part of the sheet."""
    return (np.asarray(sheet.crop(box)).max(axis=2) < 128).any()


def test_without_labels_it_is_the_grid_with_gaps():
    sheet = contact_sheet(images())
    assert sheet.mode == "RGB"
    assert sheet.size == (3 * 64 + 2 * 4, 2 * 48 + 4)
    assert boxes(sheet)[COLORS[4]] == (68, 52, 132, 100)


def test_labels_are_beside_their_rows_and_columns():
    sheet = contact_sheet(images(), ["eta 0", "eta 1"], ["1 step", "2 steps", "4 steps"], "a red circle")
    found = boxes(sheet)
    for color in COLORS:
        left, top, right, bottom = found[color]
        assert (right - left, bottom - top) == (64, 48)
    for color in COLORS[::3]:
        left, top, _, bottom = found[color]
        assert dark(sheet, (0, top, left, bottom))
    for color in COLORS[:3]:
        left, top, right, _ = found[color]
        assert dark(sheet, (left, top - 16, right, top))
    assert dark(sheet, (0, 0, found[COLORS[0]][0], 16)), "the title begins at the left"


def test_a_long_column_label_continues_on_the_next_line():
    short = contact_sheet(images(), column_labels=["a", "b", "c"])
    long = contact_sheet(images(), column_labels=["a", "the second column", "c"])
    assert long.width == short.width
    assert long.height > short.height
    assert boxes(long)[COLORS[0]][0] == 0


def test_larger_images_have_larger_labels():
    heights = [contact_sheet(images(size=(n, n)), column_labels=["a", "b", "c"]).height - 2 * n for n in (64, 200)]
    assert heights[0] < heights[1]


def test_it_takes_the_images_of_a_call_and_other_modes():
    gray = Image.new("L", (8, 8), 100)
    sheet = mindone_tcd.contact_sheet([[GeneratedImage(gray.convert("RGB"), {}), gray]])
    assert np.unique(np.asarray(sheet)).tolist() == [100, 255]


def test_without_freetype_labels_use_the_bitmap_font(monkeypatch):
    monkeypatch.setattr(module.ImageFont, "load_default", lambda size: ImageFont.load_default_imagefont())
    sheet = contact_sheet(images(), ["eta 0", "eta 1"], ["a", "b", "c"])
    assert dark(sheet, (0, 0, boxes(sheet)[COLORS[0]][0], sheet.height))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "rows must be a list that is not empty"),
        (([[]],), "each row must be a list that is not empty"),
        ((images()[0],), "each row must be a list"),
        (([images()[0], images()[0][:2]],), "rows of 2 and 3 images"),
        (([[Image.new("L", (8, 8)), Image.new("L", (9, 8))]],), "images of 8x8 and 9x8 pixels: resize them"),
        (([[images()[0]]],), r"not of list: .*take its first item with \[0\]"),
        ((images(), ["a"]), "row_labels must be a list of 2 texts, one for each row"),
        ((images(), None, "abc"), "column_labels must be a list of 3 texts"),
        ((images(), None, [1, 2, 3]), r"1 is not a text: pass a string, such as str\(value\)"),
        ((images(), None, None, "η"), "cannot show 'η': use the letters"),
        ((images(), None, None, "two\nlines"), "on one line"),
        (([[Image.new("1", (20000, 20000))]],), "20000x20000 pixels is too large"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message) as error:
        contact_sheet(*arguments)
    assert "\n" not in str(error.value)
