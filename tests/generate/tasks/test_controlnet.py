"""ControlNets with tiny models: their maps, scales and combinations."""

import numpy as np
import pytest
from PIL import Image
from tiny_tasks import SIDE, apart, made, opened, photo

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.tasks.controls import drawn_map
from mindone_tcd.random import generator

LEAST = 1e-5
"""The random ControlNets have little weight, but the same call gives the same bits."""


@pytest.fixture(scope="module")
def canny(folders):
    return opened("controlnet", folders("sdxl"), control={"canny": folders("controlnet-sdxl")})


@pytest.fixture(scope="module")
def two(folders):
    networks = [("canny", folders("controlnet-sdxl")), ("canny-map", folders("controlnet-sdxl", 1))]
    return opened("controlnet", folders("sdxl"), control=networks)


@pytest.fixture(scope="module")
def from_image(folders):
    return opened("image-to-image", folders("sdxl"), control={"canny": folders("controlnet-sdxl")})


def test_the_image_and_the_seed_determine_the_result(canny):
    first = made(canny, control=photo(1))
    assert first.shape == (SIDE, SIDE, 3)
    assert (made(canny, control=photo(1)) == first).all()
    assert apart(made(canny, control=photo(2)), first) > LEAST
    assert apart(made(canny, control=photo(1), seed=1), first) > 1e-2


def test_it_is_the_call_of_the_guides(canny):
    ours = made(canny, control=photo(1), control_scale=0.7, seed=3)
    theirs = canny.pipeline.pipe(
        "a cat",
        image=drawn_map("canny", photo(1)),
        controlnet_conditioning_scale=0.7,
        num_inference_steps=2,
        guidance_scale=0,
        eta=0.3,
        generator=generator(3),
        output_type="np",
    )[0][0]
    assert (ours == theirs).all()


def test_the_scale_is_the_weight_of_the_map(canny):
    ignored = [made(canny, control=photo(k), control_scale=0) for k in (1, 2)]
    assert (ignored[0] == ignored[1]).all()
    weak, strong = (apart(made(canny, control=photo(1), control_scale=scale), ignored[0]) for scale in (0.1, 1))
    assert 0 < weak < strong
    made(canny, control=photo(1))
    assert canny.pipeline.calls[-1]["controlnet_conditioning_scale"] == 0.5, "the default of the guides"


def test_without_weight_the_model_alone_decides(canny, folders):
    assert apart(made(canny, control=photo(1), control_scale=0), made(opened("text-to-image", folders("sdxl")))) < 1e-6


def test_a_finished_map_is_used_as_it_is(canny, folders):
    maps = opened("controlnet", folders("sdxl"), control={"canny-map": folders("controlnet-sdxl")})
    edges = drawn_map("canny", photo(1))
    assert (made(maps, control=edges) == made(canny, control=photo(1))).all()
    assert (np.asarray(maps.pipeline.calls[-1]["image"]) == np.asarray(edges)).all()
    (entry,) = maps("a cat", control=edges, steps=2)[0].record["inputs"]
    assert (entry["slot"], entry["kind"], entry["scale"]) == ("control", "canny-map", 0.5)


def test_two_networks_take_two_images(two):
    first, edges = photo(1), drawn_map("canny", photo(2))
    result = made(two, control=[first, edges], control_scale=[0.4, 0.8])
    asked = two.pipeline.calls[-1]
    assert [np.asarray(image).tolist() for image in asked["image"]] == [
        np.asarray(image).tolist() for image in (drawn_map("canny", first), edges)
    ]
    assert asked["controlnet_conditioning_scale"] == [0.4, 0.8]
    assert apart(made(two, control=[photo(3), edges], control_scale=[0.4, 0.8]), result) > LEAST
    assert apart(made(two, control=[first, drawn_map("canny", photo(3))], control_scale=[0.4, 0.8]), result) > LEAST
    record = two("a cat", control=[first, edges], steps=2)[0].record
    assert [entry["kind"] for entry in record["inputs"]] == ["canny", "canny-map"]
    assert [(part["role"], part["kind"]) for part in record["parts"]] == [("controlnet", "canny")] * 2


def test_the_size_is_that_of_the_control_image(canny):
    assert made(canny, control=photo(1, (120, 30))).shape == (32, 128, 3)
    assert made(canny, control=photo(1, (120, 30)), size=48).shape == (48, 48, 3)


def test_an_image_to_start_from_and_a_map(from_image):
    first = made(from_image, image=photo(1), control=photo(2))
    assert (made(from_image, image=photo(1), control=photo(2)) == first).all()
    assert apart(made(from_image, image=photo(3), control=photo(2)), first) > LEAST
    assert apart(made(from_image, image=photo(1), control=photo(3)), first) > LEAST
    assert made(from_image, image=photo(1, (120, 30)), control=photo(2)).shape == (32, 128, 3), (
        "the image's proportions"
    )


def test_sd15(folders):
    loaded = opened("controlnet", folders("sd15"), control={"canny": folders("controlnet-sd15")})
    assert apart(made(loaded, control=photo(1)), made(loaded, control=photo(2))) > LEAST


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "controlnet needs control: the image to follow"),
        ({"control": [photo(1), photo(2)]}, "control has 2 images for 1 ControlNets; pass one for each"),
        ({"control": []}, "control has 0 images for 1 ControlNets; pass one for each"),
        ({"control": photo(1), "control_scale": [0.5, 0.5]}, "control_scale has 2 numbers for 1 ControlNets"),
        ({"control": photo(1), "control_scale": -1}, "control_scale is -1; expected a number from 0 to 100"),
        ({"control": photo(1), "control_scale": "1"}, "control_scale is '1'; expected a number"),
        ({"control": photo(1), "image": photo(1)}, "does not take image; it takes: control, control_scale"),
        ({"control": photo(1), "strength": 0.5}, "does not take strength; it takes: control, control_scale"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(canny, call, message):
    before = len(canny.pipeline.calls)
    with pytest.raises(UsageError, match=message):
        canny("a cat", **{"steps": 2, **call})
    assert len(canny.pipeline.calls) == before


def test_two_networks_with_one_image_are_refused(two):
    for control in (photo(1), [photo(1)]):
        with pytest.raises(UsageError, match="control has 1 images for 2 ControlNets; pass one for each"):
            two("a cat", control=control)


def test_an_image_without_edges_causes_a_warning(canny):
    with pytest.warns(
        UserWarning, match="the control image shows nothing that a canny map could contain, so the result"
    ):
        made(canny, control=Image.new("RGB", (64, 64), "red"))


@pytest.mark.slow
def test_compiled_networks_give_the_same_image(canny, folders):
    compiled = opened("controlnet", folders("sdxl"), control={"canny": folders("controlnet-sdxl")}, compile=True)
    for k in (1, 2):
        # Graphs sum in another order.
        assert apart(made(compiled, control=photo(k)), made(canny, control=photo(k))) < 1e-4


def test_a_controlnet_a_reference_and_a_style(folders):
    loaded = opened(
        "controlnet",
        folders("sdxl"),
        control={"canny": folders("controlnet-sdxl")},
        ip_adapter=folders("ip-adapter"),
        style=(folders("lora-sdxl"), 0.8),
    )
    first = made(loaded, control=photo(1), reference=photo(2))
    assert (made(loaded, control=photo(1), reference=photo(2)) == first).all()
    assert apart(made(loaded, control=photo(3), reference=photo(2)), first) > LEAST
    assert apart(made(loaded, control=photo(1), reference=photo(3)), first) > LEAST
    loaded.pipeline.set_adapters(loaded.pipeline.get_active_adapters(), adapter_weights=[0.0])
    assert apart(made(loaded, control=photo(1), reference=photo(2)), first) > LEAST, "the style had no effect"
    record = loaded("a cat", control=photo(1), reference=photo(2), steps=2)[0].record
    assert [(part["role"], part["from"], part["weight"]) for part in record["parts"]] == [
        ("controlnet", "folder", 1.0),
        ("ip-adapter", "folder", 1.0),
        ("style", "folder", 0.8),
    ]
    assert [entry["slot"] for entry in record["inputs"]] == ["control", "reference"]
