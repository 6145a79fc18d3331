"""The prompts of a comparison, and whether the judge applies."""

import numpy as np
import pytest
from PIL import Image

from mindone_tcd import UsageError
from mindone_tcd.compare.prompts import general, in_other_colors, prompts_of_file, scenes_of, shape_of, unseen_scenes
from mindone_tcd.generate.loaded import read_inputs
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import held_out, parse

PROMPTS = ["a red star on a blue background", "a green star on white"]


@pytest.fixture(scope="module")
def star():
    return Image.fromarray((draw(parse("a white star on a blue background"), 128) * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def control():
    return plan("controlnet", "shapes", "tcd", None, Extras(control="canny"))


def test_scenes_are_unseen_and_their_captions_differ():
    scenes, captions = unseen_scenes(40)
    assert len(set(captions)) == 40
    assert all(held_out(thing.shape, thing.colour, scene.background) for scene in scenes for thing in scene.things)
    for scene, text in zip(scenes, captions, strict=True):
        found = parse(text)
        assert (found.background, found.size, found.relation) == (scene.background, scene.size, scene.relation)


def test_captions_of_a_shape_name_only_colors():
    found = in_other_colors("moon", 140)
    assert {thing.shape for text in found for thing in parse(text).things} == {"moon"}
    assert len(set(found)) == 132
    first = [parse(text) for text in found[:16]]
    assert all(held_out("moon", scene.things[0].colour, scene.background) for scene in first)


def test_the_shape_of_a_control_image(star, control):
    assert shape_of(read_inputs(control, {"control": star})) == "star"
    assert shape_of(read_inputs(control, {"control": Image.new("RGB", (128, 64))})) is None
    finished = plan("controlnet", "shapes", "tcd", None, Extras(control="canny-map"))
    assert shape_of(read_inputs(finished, {"control": star})) is None


def test_where_the_judge_applies(star, control):
    text = plan("text-to-image", "shapes", "tcd", None)
    none = read_inputs(text, {})
    assert scenes_of(text, none, PROMPTS) == [parse(prompt) for prompt in PROMPTS]
    assert scenes_of(text, none, [*PROMPTS, "a lighthouse"]) is None
    assert scenes_of(plan("text-to-image", "shapes", "tcd", None, Extras(style="badge")), none, PROMPTS) is None
    given = read_inputs(control, {"control": star})
    assert len(scenes_of(control, given, PROMPTS)) == 2
    assert scenes_of(control, given, ["a red moon on a blue background"]) is None


def test_prompts_from_a_file(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("a cat\n\n  画一颗红色的星  \n", encoding="utf-8")
    assert prompts_of_file(path) == ["a cat", "画一颗红色的星"]
    path.write_text("\n")
    with pytest.raises(UsageError, match="has 0 prompts"):
        prompts_of_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot read prompts"):
        prompts_of_file(path)
    with pytest.raises(UsageError, match="cannot read prompts"):
        prompts_of_file(tmp_path / "none.txt")


def test_general_prompts_start_again():
    assert len(set(general(10))) == 10
    assert general(12)[10:] == general(2)
