import build_images
import numpy as np
import pages
import pytest
from PIL import Image


def pictures(count=1, size=96, seed=0):
    """Smooth random colors."""
    values = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return [Image.fromarray(value).resize((size, size), Image.Resampling.BICUBIC) for value in values]


def test_a_small_png_keeps_its_pixels_and_no_metadata(tmp_path):
    path, stored = tmp_path / "a.png", tmp_path / "b.png"
    image = pictures()[0]
    image.info["comment"] = "x"
    image.save(path)
    stored.write_bytes(build_images.optimized(path))
    assert build_images.difference(path, stored) == (0, 0)
    assert Image.open(stored).info == {}


def test_a_large_png_has_fewer_colors(tmp_path):
    path, stored = tmp_path / "a.png", tmp_path / "b.png"
    pictures(size=600)[0].save(path)
    assert path.stat().st_size > build_images.LARGEST
    stored.write_bytes(build_images.optimized(path))
    assert stored.stat().st_size <= build_images.LARGEST
    mean, _ = build_images.difference(path, stored)
    assert 0 < mean < 20


def test_a_gif_keeps_its_frames_and_their_duration(tmp_path):
    path, stored = tmp_path / "a.gif", tmp_path / "b.gif"
    first, *rest = pictures(4)
    first.save(path, save_all=True, append_images=rest, duration=120, loop=0)
    stored.write_bytes(build_images.optimized(path))
    with Image.open(stored) as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (4, 120, 0)
    assert build_images.difference(path, stored)[0] < 3


def test_noise_is_too_large(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png has more than 150000 bytes, even with 16 colors"):
        build_images.optimized(tmp_path / "a.png")


def test_differences(tmp_path):
    one, two, other = (tmp_path / f"{k}.png" for k in range(3))
    Image.new("RGB", (10, 10)).save(one)
    image = Image.new("RGB", (10, 10))
    image.putpixel((0, 0), (90, 30, 0))
    image.save(two)
    Image.new("RGB", (10, 11)).save(other)
    assert build_images.difference(one, two) == (120 / 300, 0.01)
    with pytest.raises(ValueError, match="has the shape"):
        build_images.difference(one, other)


def test_a_stored_image_equals_the_generated_one_up_to_rounding(tmp_path):
    stored, rounded, other = (tmp_path / f"{k}.png" for k in range(3))
    pixels = np.asarray(pictures()[0])
    Image.fromarray(pixels).save(stored)
    changed = pixels.copy()
    changed[::20, ::20] ^= 1
    Image.fromarray(changed).save(rounded)
    pictures(seed=1)[0].save(other)
    build_images.check_equal(stored, rounded)
    with pytest.raises(ValueError, match=r"0\.png differs from what the page makes"):
        build_images.check_equal(stored, other)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page that shows the image that its block writes, and a stored image that it does not show."""
    monkeypatch.setattr(pages, "ASSETS", tmp_path / "docs" / "assets" / "tutorials")
    path = tmp_path / "docs" / "tutorials" / "page.md"
    path.parent.mkdir(parents=True)
    code = 'from PIL import Image\nImage.new("RGB", (8, 8), "red").save("red.png")'
    path.write_text(f"```python\n{code}\n```\n\n![A red image](../assets/tutorials/page/red.png)\n", encoding="utf-8")
    old = pages.ASSETS / "page" / "old.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    return path


def test_build_stores_what_the_page_shows(page):
    (stored,) = build_images.build(page)
    assert Image.open(stored).getpixel((0, 0)) == (255, 0, 0)
    assert [path.name for path in stored.parent.iterdir()] == ["red.png"]


def test_build_refuses_an_image_that_no_block_writes(page):
    page.write_text(page.read_text(encoding="utf-8").replace("page/red.png", "page/blue.png"), encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"page\.md shows blue\.png, but no block writes it"):
        build_images.build(page)
