"""The files of an image on which a mask is drawn."""

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.demo import masks
from mindone_tcd.demo.masks import Edited
from mindone_tcd.errors import UsageError


def saved(path, size=(64, 48), color=(10, 20, 30), mode="RGB"):
    Image.new(mode, size, color).save(path)
    return str(path)


def layer(path, size=(64, 48), box=(8, 8, 24, 24), alpha=255):
    """A transparent layer with an opaque box, and its path."""
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    image.paste((224, 0, 224, alpha), box)
    image.save(path)
    return str(path)


def test_the_mask_is_what_is_drawn_on_any_layer(tmp_path):
    image = saved(tmp_path / "in.png")
    layers = [layer(tmp_path / "1.png"), layer(tmp_path / "2.png", (32, 24), (16, 12, 20, 16))]
    found = masks.image_and_mask(Edited(image, tuple(layers)), tmp_path / "out")
    with Image.open(found["image"]) as same, Image.open(image) as original:
        assert (np.asarray(same) == np.asarray(original)).all()
    with Image.open(found["mask"]) as mask:
        white = np.asarray(mask.convert("L")) == 255
    expected = np.zeros((48, 64), bool)
    expected[8:24, 8:24] = True
    expected[24:32, 32:40] = True  # scaled from the smaller layer
    assert (white == expected).all()


def test_of_an_opaque_layer_the_white_is_the_mask(tmp_path):
    image = saved(tmp_path / "in.png")
    black = Image.new("L", (64, 48))
    black.paste(255, (0, 0, 32, 48))
    black.save(tmp_path / "mask.png")
    found = masks.image_and_mask(Edited(image, (str(tmp_path / "mask.png"),)), tmp_path / "out")
    with Image.open(found["mask"]) as mask:
        assert np.asarray(mask.convert("L")).mean() == 127.5


def test_masks_that_are_refused(tmp_path):
    image = saved(tmp_path / "in.png")
    for layers in ([], [layer(tmp_path / "faint.png", alpha=100)]):
        with pytest.raises(UsageError, match="no mask is drawn"):
            masks.image_and_mask(Edited(image, tuple(layers)), tmp_path)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"mask 'bad.png' is not an image"):
        masks.image_and_mask(Edited(image, (str(bad),)), tmp_path)
    with pytest.raises(UsageError, match=r"image 'bad.png' is not a PNG"):
        masks.image_and_mask(Edited(str(bad), ()), tmp_path)


def test_files_from_a_browser_are_removed_when_they_were_read(tmp_path):
    for name, expected in (("good", True), ("bad", False)):
        folder = tmp_path / name
        folder.mkdir()
        image = saved(folder / "in.png")
        edited = Edited(image, (layer(folder / "layer.png"),) if expected else (), folder)
        if expected:
            masks.image_and_mask(edited, tmp_path / "out")
        else:
            with pytest.raises(UsageError, match="no mask is drawn"):
                masks.image_and_mask(edited, tmp_path / "out")
        assert not folder.exists()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    image, huge = saved(tmp_path / "in.png"), tmp_path / "huge.png"
    Image.new("1", (16384, 8192)).save(huge)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UsageError, match=r"mask 'huge.png' has 16384x8192 pixels; expected at most"):
        masks._layer(str(huge), (64, 48))
    with pytest.raises(UsageError, match=r"image 'huge.png' has 16384x8192 pixels; expected"):
        masks.image_and_mask(Edited(str(huge), (image,)), tmp_path / "out")
