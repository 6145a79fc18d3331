"""User prompts are mapped to the words that the shipped model was trained on."""

import numpy as np
import pytest

from mindone_tcd.shapes.grammar import COLOURS, POSITIONS, SHAPES, SIZES, caption, parse, random_scene, split_words
from mindone_tcd.shapes.prompts import CHINESE, SYNONYMS, TRAINED, to_trained


def _captions(count: int, two: float = 0.4):
    rng = np.random.default_rng(5)
    for _ in range(count):
        yield caption(random_scene(rng, two, None), rng, rng.random() < 0.5, rng.random() < 0.5)


def test_captions_map_to_themselves():
    for text in _captions(5000):
        assert to_trained(text) == (text, (), ())


def test_the_trained_words_are_those_of_captions():
    assert {word for text in _captions(5000) for word in split_words(text)} == TRAINED


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a grey circle on a blue background", "a gray circle on a blue background"),
        ("a red circle on a grey background", "a red circle on a gray background"),
        ("a big red star, grey background", "a large red star, gray background"),
        ("a tiny red star on white", "a small red star on white"),
        ("a huge red star on white", "a large red star on white"),
        ("a little red dot on white", "a small red circle on white"),
        ("A Red Circle on a Blue Background.", "a red circle on a blue background"),
        ("a picture of a red circle on black", "a red circle on black"),
        ("An image of a red disc on black", "a red circle on black"),
        ("photo of a red disk on black", "a red circle on black"),
        ("a drawing of a yellow crescent on black", "a yellow moon on black"),
        ("a yellow crescent moon on black", "a yellow moon on black"),
        ("a red plus on white", "a red cross on white"),
        ("red circles on white", "red circle on white"),
        ("green crosses on white", "green cross on white"),
        ("a red-colored circle on white", "a red circle on white"),
        ("a red coloured circle on white", "a red circle on white"),
        ("a red circle in the centre on white", "a red circle in the center on white"),
        ("a red circle in the middle on white", "a red circle in the center on white"),
        ("a red circle in the upper-left corner on white", "a red circle in the top left on white"),
        ("a red circle at the top on white", "a red circle in the top on white"),
        ("a red circle on the left on white", "a red circle in the left on white"),
        ("a red circle left of a blue square on white", "a red circle to the left of a blue square on white"),
        ("a red circle is on top of a blue square on white", "a red circle above a blue square on white"),
        ("a red circle under a blue square on white", "a red circle below a blue square on white"),
        ("a red circle with a blue background", "a red circle on a blue background"),
        ("a red circle over a blue background", "a red circle on a blue background"),
        ("a red circle over a blue square on white", "a red circle above a blue square on white"),
        ("a blue background with a red circle", "a red circle, blue background"),
        ("a red circle，blue background", "a red circle, blue background"),
    ],
)
def test_english(prompt, text):
    assert to_trained(prompt) == (text, (), ())


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("蓝色背景上的红色圆形", "a red circle on a blue background"),
        ("一个红色的圆形，蓝色背景", "a red circle on a blue background"),
        ("红色圆圈，背景是蓝色的。", "a red circle on a blue background"),
        ("蓝色背景中的红色圆形", "a red circle on a blue background"),
        ("黑底红圆", "a red circle on a black background"),
        ("畫一個紅色的圓形，藍色背景", "a red circle on a blue background"),
        ("一张图片：圆形是橙色的，背景为灰色", "an orange circle on a gray background"),
        ("红色 circle，蓝色 background", "a red circle on a blue background"),
        ("左上角的小黄色星形，黑色背景", "a small yellow star in the top left on a black background"),
        ("棕色背景中间的大号青色月牙", "a large cyan moon in the center on a brown background"),
        ("中等大小的橙色菱形在右下角，紫色背景", "a medium orange diamond in the bottom right on a purple background"),
        ("左边的粉红色爱心，白色背景", "a pink heart in the left on a white background"),
        ("红色圆形在蓝色正方形上方，白色背景", "a red circle above a blue square on a white background"),
        ("白色背景上，红色圆形在蓝色方块的左边", "a red circle to the left of a blue square on a white background"),
        ("红色圆环在紫色三角形右边，绿色背景", "a red ring to the right of a purple triangle on a green background"),
        ("蓝色正方形下方的橙色十字，白色背景", "an orange cross below a blue square on a white background"),
        ("在蓝色方块上方有一个红色圆形，背景白色", "a red circle above a blue square on a white background"),
        ("上方是红色圆形，下方是蓝色方块，白色背景", "a red circle above a blue square on a white background"),
    ],
)
def test_chinese(prompt, text):
    assert to_trained(prompt) == (text, (), ())
    assert parse(text) is not None


@pytest.mark.parametrize("kind", ["color", "shape", "size", "place"])
def test_every_chinese_word_is_mapped(kind):
    pattern = {
        "color": "一个{}的圆形，蓝色背景",
        "shape": "一个红色的{}，蓝色背景",
        "size": "{}的红色圆形，蓝色背景",
        "place": "红色圆形在{}，蓝色背景",
    }[kind]
    expected = {
        "color": "a{n} {word} circle on a blue background",
        "shape": "a red {word} on a blue background",
        "size": "a {word} red circle on a blue background",
        "place": "a red circle in the {word} on a blue background",
    }[kind]
    for word, list_ in CHINESE[kind].items():
        for written in list_.split():
            text = expected.format(word=word, n="n" if word == "orange" else "")
            assert to_trained(pattern.format(written)) == (text, (), ()), written


def test_every_trained_word_has_a_chinese_word():
    assert [set(CHINESE[kind]) for kind in ("color", "shape", "size", "place")] == [
        set(names) for names in (COLOURS, SHAPES, SIZES, POSITIONS)
    ]


def test_no_chinese_word_means_two_things():
    words = [written for kind in CHINESE.values() for list_ in kind.values() for written in list_.split()]
    assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)


def test_synonyms_are_mapped_to_trained_words():
    assert set(SYNONYMS.values()) <= TRAINED
    assert not set(SYNONYMS) & TRAINED


@pytest.mark.parametrize(
    ("prompt", "unknown", "missing"),
    [
        ("a red dragon, a DRAGON on a blue background", ("dragon",), ("shape",)),
        ("a picture", ("picture",), ("shape", "background")),
        ("a red circle and a blue square on white", ("and",), ("relation",)),
        ("two red circles on a blue background", ("two",), ()),
        ("a rectangle on white", ("rectangle",), ("shape",)),
        ("a red circle", (), ("background",)),
        ("a blue background", (), ("shape",)),
        ("a red circle in the top left", (), ("background",)),
        ("", (), ("shape", "background")),
        ("一条红色的龙，蓝色背景", ("条", "龙"), ("shape",)),
        ("红色圆形和蓝色方块，白色背景", ("和",), ("relation",)),
        ("红色圆形，不要蓝色，黑色背景", ("不要", "蓝色"), ()),
        ("红色圆形", (), ("background",)),
        ("蓝色背景", (), ("shape",)),
    ],
)
def test_unknown_words_and_missing_parts_are_reported(prompt, unknown, missing):
    assert to_trained(prompt)[1:] == (unknown, missing)


def test_unknown_chinese_words_do_not_reach_the_model():
    assert to_trained("红色圆形，不要蓝色，黑色背景").text == "a red circle on a black background"


def test_results_are_mapped_to_themselves():
    for prompt in ("a big grey disc in the upper left corner on blue", "蓝色正方形下方的橙色十字，白色背景"):
        text = to_trained(prompt).text
        assert to_trained(text).text == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a red circle moving right on a blue background", "a red circle moving right on a blue background"),
        ("a red dot that moves to the left on blue", "a red circle moving left on blue"),
        ("a red circle moving upwards, blue background", "a red circle moving up, blue background"),
        ("a big star flying to the top on blue", "a large star moving up on blue"),
        ("a red circle sliding towards the bottom on blue", "a red circle moving down on blue"),
        ("a red circle in the right on blue", "a red circle in the right on blue"),
        ("蓝色背景上一个向右移动的红色圆形", "a red circle moving right on a blue background"),
        ("红色圆形从上到下移动，白色背景", "a red circle moving down on a white background"),
        ("向上移動的紅色星形，藍色背景", "a red star moving up on a blue background"),
        ("红色圆形在左边，蓝色背景", "a red circle in the left on a blue background"),
    ],
)
def test_motion(prompt, text):
    assert to_trained(prompt, motion=True) == (text, (), ())


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [("a red circle moving up on blue", ("moving", "up")), ("向右移动的红色圆形，蓝色背景", ("向右移动",))],
)
def test_a_model_without_motion_does_not_know_its_words(prompt, unknown):
    assert to_trained(prompt).unknown == unknown
