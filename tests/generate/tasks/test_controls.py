"""Control images without a pipeline: how many there are, their scales and their maps."""

import warnings

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate.parts import Part
from mindone_tcd.generate.recipes import Recipe
from mindone_tcd.generate.request import make_request
from mindone_tcd.generate.setup import Setup
from mindone_tcd.generate.tasks import PART_FEATURES
from mindone_tcd.generate.tasks.controls import control_maps, drawn_map, read_controls
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER
from mindone_tcd.shapes.grammar import parse

SHIPPED = Model(SHAPES, str(SHAPES_FOLDER), True, "StableDiffusionXLPipeline", sample_size=128)
HUB = Model("owner/xl", "owner/xl", False, "StableDiffusionXLPipeline", sample_size=1024)


def setup(*kinds: str, model=SHIPPED, role="controlnet") -> Setup:
    parts = tuple(Part(role, kind.removesuffix("-map"), "owner/name", "hub") for kind in kinds)
    is_map = tuple(kind.endswith("-map") for kind in kinds)
    features = (PART_FEATURES[role],)
    return Setup("controlnet", model, Recipe("tcd", None), "X", features, parts, is_map)


def drawing(prompt: str = "a red circle on a blue background") -> np.ndarray:
    return (np.asarray(draw(parse(prompt), 128)) * 255).round().astype(np.uint8)


def uniform(color="red") -> Image.Image:
    return Image.new("RGB", (64, 64), color)


@pytest.mark.parametrize(("model", "scale"), [(SHIPPED, 1.0), (HUB, 0.5)])
def test_the_default_scale_depends_on_the_model(model, scale):
    (source,) = read_controls({"control": drawing()}, setup("canny", model=model), "controlnet").sources
    assert (source.slot, source.kind, source.is_map, source.scale) == ("control", "canny", False, scale)


def test_one_scale_for_all_or_one_for_each():
    both = setup("canny", "depth")
    for scale, expected in ((0.3, [0.3, 0.3]), ([0.3, 2], [0.3, 2.0]), ((0, 1), [0.0, 1.0])):
        found = read_controls({"control": [drawing(), drawing()], "control_scale": scale}, both, "controlnet")
        assert [source.scale for source in found.sources] == expected


@pytest.mark.parametrize(
    ("kinds", "given", "message"),
    [
        (["canny"], {}, "controlnet needs control: the image to follow"),
        (["canny"], {"control": [drawing()] * 2}, "control has 2 images for 1 ControlNets; pass one for each"),
        (["canny"] * 2, {"control": drawing()}, "control has 1 images for 2 ControlNets; pass one for each"),
        (["canny"], {"control": drawing(), "control_scale": [1, 1]}, "control_scale has 2 numbers for 1 ControlNets"),
        (["canny"], {"control": drawing(), "control_scale": []}, "control_scale has 0 numbers for 1 ControlNets"),
        (["canny"], {"control": drawing(), "control_scale": "11"}, "control_scale is '11'; expected a number from 0"),
        (["canny"], {"control": drawing(), "control_scale": 101}, "control_scale is 101; expected a number from 0"),
        (["canny"], {"control": drawing(), "control_scale": [None]}, "control_scale is None; expected a number"),
        (["canny"], {"control": drawing(), "control_scale": float("nan")}, "control_scale is nan; expected a number"),
        (["canny"], {"control": "no.png"}, "control 'no.png' does not exist"),
        (["pose"], {"control": drawing()}, "no pose map can be computed from an image, only: canny, depth, normal"),
    ],
)
def test_wrong_control_images_are_refused(kinds, given, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_controls(given, setup(*kinds), "controlnet")
    assert "\n" not in str(caught.value)


def test_a_finished_map_can_be_of_any_kind():
    (source,) = read_controls({"control": drawing()}, setup("pose-map"), "controlnet").sources
    assert (source.kind, source.is_map) == ("pose", True)
    assert source.as_record(False)["kind"] == "pose-map"


@pytest.mark.parametrize(
    ("kind", "model", "warned"),
    [
        ("canny", SHIPPED, True),
        ("canny", HUB, True),
        ("depth", SHIPPED, True),
        ("depth", HUB, False),
        ("normal", SHIPPED, True),
        ("canny-map", HUB, True),
    ],
)
def test_an_image_that_shows_nothing_causes_a_warning(kind, model, warned):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read_controls({"control": uniform()}, setup(kind, model=model), "controlnet")
        read_controls({"control": drawing()}, setup(kind, model=model), "controlnet")
    assert ["so the result follows only the prompt" in str(each.message) for each in said] == [True] * warned


def maps(kind, image, size=None, model=SHIPPED):
    loaded = setup(kind, model=model)
    inputs = read_controls({"control": image}, loaded, "controlnet")
    prompt = "a red circle on a blue background"
    request = make_request(loaded.model, loaded.recipe, prompt, size=size, inputs=inputs, multiple=loaded.multiple)
    (found,) = control_maps(request, loaded)
    assert (found.mode, found.size) == ("RGB", (request.width, request.height))
    return np.asarray(found)


def test_maps_of_each_kind():
    edges, depth, normal = (maps(kind, drawing()) for kind in ("canny", "depth", "normal"))
    assert set(np.unique(edges)) == {0, 255}
    assert (depth[64, 64].tolist(), depth[0, 0].tolist()) == ([depth[64, 64, 0]] * 3, [0, 0, 0])
    assert depth[64, 64, 0] > 64
    assert normal[0, 0].tolist() == [128, 128, 255]
    assert (maps("canny-map", drawing()) == drawing()).all()


def test_edges_are_found_in_the_size_of_the_result():
    edges = maps("canny", Image.fromarray(drawing()).resize((512, 512), Image.Resampling.NEAREST), model=SHIPPED)
    assert edges.shape == (128, 128, 3)
    assert set(np.unique(edges)) == {0, 255}, "a resized map is blurred"


@pytest.mark.parametrize("kind", ["depth", "normal"])
def test_maps_of_drawings_that_are_no_square(kind):
    wide = Image.fromarray(drawing()).resize((192, 96))
    found = np.asarray(drawn_map(kind, wide))
    assert found.shape == (96, 192, 3)
    assert (found[48, 96] != found[0, 0]).any() or kind == "normal"


def test_sizes_are_multiples_of_32_for_t2i_adapters():
    assert setup("canny", role="t2i-adapter").multiple == 32
    assert setup("canny").multiple == 8
