"""What the features of tasks share."""

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.tasks.feature import Feature, needed, resized, scale_of


@pytest.mark.parametrize(("value", "number"), [(0, 0.0), (1, 1.0), (np.float32(0.5), 0.5), (100, 100.0)])
def test_scales(value, number):
    assert scale_of(value, "scale") == number
    assert type(scale_of(value, "scale")) is float


@pytest.mark.parametrize("value", [-0.1, 100.1, float("nan"), float("inf"), True, "1", None, [1], 1j])
def test_values_that_are_no_scale(value):
    with pytest.raises(UsageError, match=r"scale is .*; expected a number from 0 to 100"):
        scale_of(value, "scale")


def test_a_needed_argument():
    assert needed({"image": 1}, "image", "inpainting", "the image") == 1
    with pytest.raises(UsageError, match=r"^inpainting needs mask: the mask$"):
        needed({"image": 1}, "mask", "inpainting", "the mask")


def test_resizing():
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert resized(image, (8, 8)) is image
    assert resized(image, [8, 8]) is image
    assert resized(image, (16, 4)).size == (16, 4)
    assert set(np.unique(resized(image, (16, 16), nearest=True))) == set(range(64))


def test_a_feature_must_say_what_it_does():
    for ask in (lambda: Feature().read({}, None), lambda: Feature().arguments(None, None)):
        with pytest.raises(NotImplementedError):
            ask()
