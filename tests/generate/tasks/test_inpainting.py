"""Inpainting with tiny models, of 4 and of 9 input channels."""

import numpy as np
import pytest
from PIL import Image
from tiny_tasks import SIDE, apart, made, mask, opened, photo

from mindone_tcd.errors import UsageError
from mindone_tcd.random import generator


@pytest.fixture(scope="module", params=["sdxl", "sdxl-inpainting", "sd15-inpainting"])
def loaded(request, folders):
    return opened("inpainting", folders(request.param))


def test_the_image_the_mask_and_the_seed_determine_the_result(loaded):
    first = made(loaded, image=photo(1), mask=mask())
    assert first.shape == (SIDE, SIDE, 3)
    assert (made(loaded, image=photo(1), mask=mask()) == first).all()
    assert apart(made(loaded, image=photo(2), mask=mask()), first) > 1e-3
    assert apart(made(loaded, image=photo(1), mask=mask().rotate(90)), first) > 1e-3
    assert apart(made(loaded, image=photo(1), mask=mask(), seed=1), first) > 1e-2


def test_it_is_the_call_of_the_guides(loaded):
    ours = made(loaded, image=photo(1), mask=mask(), seed=3)
    theirs = loaded.pipeline.pipe(
        "a cat",
        image=photo(1),
        mask_image=mask(),
        strength=1.0,
        width=SIDE,
        height=SIDE,
        num_inference_steps=2,
        guidance_scale=0,
        eta=0.3,
        generator=generator(3),
        output_type="np",
    )[0][0]
    assert (ours == theirs).all()


def test_the_size_is_that_of_the_image(loaded):
    wide = mask().resize((120, 30))
    assert made(loaded, image=photo(1, (120, 30)), mask=wide).shape == (32, 128, 3)
    assert made(loaded, image=photo(1, (120, 30)), mask=wide, size=64).shape == (64, 64, 3)


def test_a_mask_of_another_size_is_resized(loaded):
    with pytest.warns(UserWarning, match="the mask has 32x32 pixels, but its image has 64x64; it was resized"):
        resized = made(loaded, image=photo(1), mask=mask().resize((32, 32), Image.Resampling.NEAREST))
    assert (resized == made(loaded, image=photo(1), mask=mask())).all()


def test_the_record_has_the_image_and_the_mask(loaded):
    record = loaded("a cat", image=photo(1), mask=mask(), steps=2)[0].record
    assert [(entry["slot"], entry["name"]) for entry in record["inputs"]] == [("image", None), ("mask", None)]
    assert (record["task"], record["strength"]) == ("inpainting", 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "inpainting needs image: the image to change"),
        ({"image": photo(1)}, "inpainting needs mask: an image that is white where the image changes"),
        ({"mask": mask()}, "inpainting needs image"),
        ({"image": photo(1), "mask": Image.new("L", (64, 64))}, "the mask is black, so there is nothing to change"),
        ({"image": photo(1), "mask": np.full((64, 64), 2.0)}, "with values from 2 to 2; expected 0 to 1"),
        ({"image": photo(1), "mask": mask(), "strength": 2}, "strength is 2; expected a number from 0 to 1"),
        ({"image": photo(1), "mask": mask(), "strength": 0.3}, "strength 0.3 of 2 steps leaves no step"),
        ({"image": photo(1), "mask": mask(), "reference": photo(2)}, "does not take reference; it takes: image, mask"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(loaded, call, message):
    before = len(loaded.pipeline.calls)
    with pytest.raises(UsageError, match=message):
        loaded("a cat", **{"steps": 2, **call})
    assert len(loaded.pipeline.calls) == before
