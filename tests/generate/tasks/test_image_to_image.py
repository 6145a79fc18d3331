"""Image to image with tiny models: what the image, its strength and its size do."""

import pytest
from tiny_tasks import SIDE, apart, made, opened, photo

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.loaded import read_inputs
from mindone_tcd.generate.request import make_request
from mindone_tcd.random import generator


@pytest.fixture(scope="module", params=["sdxl", "sd15"])
def loaded(request, folders):
    return opened("image-to-image", folders(request.param))


def test_the_image_and_the_seed_determine_the_result(loaded):
    first = made(loaded, image=photo(1))
    assert first.shape == (SIDE, SIDE, 3)
    assert (made(loaded, image=photo(1)) == first).all()
    assert apart(made(loaded, image=photo(2)), first) > 1e-3
    assert apart(made(loaded, image=photo(1), seed=1), first) > 1e-2


def test_it_is_the_call_of_the_guides(loaded):
    ours = made(loaded, image=photo(1), strength=0.5, seed=3, eta=0.2)
    theirs = loaded.pipeline.pipe(
        "a cat",
        image=photo(1),
        strength=0.5,
        num_inference_steps=2,
        guidance_scale=0,
        eta=0.2,
        generator=generator(3),
        output_type="np",
    )[0][0]
    assert (ours == theirs).all()


def test_a_weaker_strength_keeps_more_of_the_image(loaded):
    weak, strong = (
        apart(*(made(loaded, image=photo(k), strength=strength, steps=4) for k in (1, 2))) for strength in (0.25, 1.0)
    )
    assert weak > 2 * strong


def test_the_steps_that_are_done_are_counted(loaded):
    request = make_request(
        loaded.model,
        loaded.recipe,
        "a cat",
        steps=4,
        inputs=read_inputs(loaded.setup, {"image": photo(1), "strength": 0.5}),
    )
    seen = []
    loaded.make_batch(request, request.seeds, lambda step, latents: seen.append(step))
    assert seen == [0, 1]


def test_the_size_is_that_of_the_image_with_the_area_of_the_model(loaded):
    assert made(loaded, image=photo(1, (120, 30))).shape == (32, 128, 3)
    assert made(loaded, image=photo(1, (300, 300))).shape == (SIDE, SIDE, 3)
    assert made(loaded, image=photo(1, (120, 30)), size=(40, 48)).shape == (48, 40, 3)


def test_several_images_are_a_batch_of_seeds(loaded):
    both = [each.image for each in loaded("a cat", image=photo(1), steps=2, seed=5, count=2)]
    # Matrix products of another batch size sum in another order.
    assert apart(both[1], made(loaded, image=photo(1), seed=6)) < 1e-4
    assert apart(both[0], both[1]) > 1e-2


def test_the_record_has_the_image_and_the_strength(loaded, tmp_path):
    path = tmp_path / "photo.png"
    photo(1).save(path)
    record = loaded("a cat", image=path, steps=2)[0].record
    (entry,) = record["inputs"]
    assert (record["task"], record["strength"]) == ("image-to-image", 0.6)
    assert {key: entry[key] for key in ("slot", "kind", "name", "scale")} == {
        "slot": "image",
        "kind": "",
        "name": "photo.png",
        "scale": None,
    }
    assert str(tmp_path) not in str(record)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "image-to-image needs image: the image to start from"),
        ({"image": "no.png"}, "image 'no.png' does not exist"),
        ({"image": 3}, "image has the type int"),
        ({"image": photo(1), "strength": 1.5}, "strength is 1.5; expected a number from 0 to 1"),
        ({"image": photo(1), "strength": -0.1}, "strength is -0.1"),
        ({"image": photo(1), "strength": True}, "strength is True"),
        ({"image": photo(1), "strength": float("nan")}, "strength is nan"),
        ({"image": photo(1), "strength": 0}, "strength 0 of 2 steps leaves no step; choose a strength of at least 0.5"),
        ({"image": photo(1), "strength": 0.4}, "strength 0.4 of 2 steps leaves no step"),
        ({"image": photo(1), "mask": photo(2)}, "does not take mask; it takes: image, strength"),
        ({"image": photo(1), "imgae": photo(2)}, "does not take imgae; it takes: image, strength"),
        ({"image": photo(1), "size": 60}, "size 60 is not divisible by 8, as the pipeline needs; try 56 or 64"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(loaded, call, message):
    before = len(loaded.pipeline.calls)
    with pytest.raises(UsageError, match=message) as caught:
        loaded("a cat", **{"steps": 2, **call})
    assert "\n" not in str(caught.value)
    assert len(loaded.pipeline.calls) == before
