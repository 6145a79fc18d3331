"""T2I-Adapters with tiny models."""

import pytest
from tiny_tasks import SIDE, apart, made, opened, photo

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.tasks.controls import drawn_map
from mindone_tcd.random import generator


@pytest.fixture(scope="module")
def loaded(folders):
    return opened("t2i-adapter", folders("sdxl"), t2i={"canny": folders("t2i-adapter-sdxl")})


def test_the_image_and_the_seed_determine_the_result(loaded):
    first = made(loaded, control=photo(1))
    assert first.shape == (SIDE, SIDE, 3)
    assert (made(loaded, control=photo(1)) == first).all()
    assert apart(made(loaded, control=photo(2)), first) > 1e-4
    assert apart(made(loaded, control=photo(1), seed=1), first) > 1e-2


def test_it_is_the_call_of_the_guides(loaded):
    ours = made(loaded, control=photo(1), control_scale=0.7, seed=3)
    theirs = loaded.pipeline.pipe(
        "a cat",
        image=drawn_map("canny", photo(1)),
        adapter_conditioning_scale=0.7,
        num_inference_steps=2,
        guidance_scale=0,
        eta=0.3,
        generator=generator(3),
        output_type="np",
    )[0][0]
    assert (ours == theirs).all()


def test_without_weight_the_model_alone_decides(loaded, folders):
    plain = made(opened("text-to-image", folders("sdxl")))
    assert apart(made(loaded, control=photo(1), control_scale=0), plain) < 1e-6
    made(loaded, control=photo(1))
    assert loaded.pipeline.calls[-1]["adapter_conditioning_scale"] == 0.5, "the default of the guides"


def test_two_adapters_take_two_images(folders):
    adapters = [("canny", folders("t2i-adapter-sdxl")), ("canny-map", folders("t2i-adapter-sdxl", 1))]
    loaded = opened("t2i-adapter", folders("sdxl"), t2i=adapters)
    result = made(loaded, control=[photo(1), drawn_map("canny", photo(2))])
    assert loaded.pipeline.calls[-1]["adapter_conditioning_scale"] == [0.5, 0.5]
    assert apart(made(loaded, control=[photo(3), drawn_map("canny", photo(2))]), result) > 1e-4
    assert apart(made(loaded, control=[photo(1), drawn_map("canny", photo(3))]), result) > 1e-4
    with pytest.raises(UsageError, match="control has 1 images for 2 T2I-Adapters; pass one for each"):
        loaded("a cat", control=photo(1))


def test_sizes_are_multiples_of_32(loaded):
    assert made(loaded, control=photo(1, (100, 60))).shape == (64, 96, 3)
    with pytest.raises(UsageError, match="size 40 is not divisible by 32, as the pipeline needs; try 32 or 64"):
        loaded("a cat", control=photo(1), size=40)


@pytest.mark.slow
def test_compiled_networks_give_the_same_image(loaded, folders):
    compiled = opened("t2i-adapter", folders("sdxl"), t2i={"canny": folders("t2i-adapter-sdxl")}, compile=True)
    for k in (1, 2):
        # Graphs sum in another order.
        assert apart(made(compiled, control=photo(k)), made(loaded, control=photo(k))) < 1e-4
