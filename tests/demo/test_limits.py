"""The limits for what visitors send."""

import dataclasses

import pytest
from PIL import Image

from mindone_tcd.demo import limits
from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.generate.request import Request


@pytest.fixture
def model():
    return find_model("shapes")


def request_of(width=128, height=128, prompt="a star", negative=None, steps=4):
    return Request(prompt, negative, (0,), steps, 0.0, None, width, height)


def test_the_sides_are_multiples_around_the_size_of_the_model(model):
    assert limits.sides(model, 8) == (96, 128, 192)
    assert limits.sides(model, 64) == (128, 128, 192)
    assert limits.sides(dataclasses.replace(model, sample_size=1024), 8) == (768, 1024, 1536)
    assert limits.sides(dataclasses.replace(model, sample_size=None), 8) == (384, 512, 768)


@pytest.mark.parametrize("size", [(128, 128), (192, 192), (384, 96), (96, 384)])
def test_usual_requests_are_accepted(model, size):
    limits.check_request(request_of(*size, steps=8), model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 200, "height": 192}, "the image would have 200x192 pixels; expected sides of at most 384 and 36864"),
        ({"width": 392, "height": 8}, "closer to a square"),
        ({"prompt": "x" * 2001}, "the prompt has 2001 characters; expected at most 2000"),
        ({"negative": "x" * 2001}, "the negative prompt has 2001 characters"),
        ({"steps": 9}, "steps is 9; expected an integer from 1 to 8"),
    ],
)
def test_too_much_is_refused(model, change, message):
    with pytest.raises(UsageError, match=message):
        limits.check_request(request_of(**change), model)


def test_errors_of_uploads_do_not_show_folders(tmp_path):
    bad = tmp_path / "a.png"
    bad.write_bytes(b"no image")
    with pytest.raises(UsageError) as error:
        limits.opened(str(bad), "image")
    assert str(tmp_path) not in str(error.value)
    assert "'a.png' is not a PNG" in str(error.value)
    Image.new("RGB", (9, 9)).save(bad)
    assert limits.opened(str(bad), "image").image.size == (9, 9)
