"""The style of badges."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mindone_tcd.shapes.drawing import coverage, draw
from mindone_tcd.shapes.grammar import COLOURS, SHAPES, Scene, Thing, random_scene
from mindone_tcd.shapes.judge import judge
from mindone_tcd.shapes.styles import draw_badge, ground_of, on_a_plate, on_the_badge


def some_scenes(count, two):
    rng = np.random.default_rng(7)
    return [random_scene(rng, two, unseen=None) for _ in range(count)]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_ground_contrasts_with_the_plate(colour):
    ground = np.asarray(COLOURS[ground_of(colour)], float)
    assert np.linalg.norm(ground - COLOURS[colour]) > 150


def test_a_badge_is_a_round_plate():
    image = draw_badge(Scene("red", (Thing("star", "yellow"),)))
    assert image.shape == (128, 128, 3)
    assert image.dtype == np.float32
    disc = coverage("circle", 0, 0, 1, 128)
    assert np.abs(image[disc == 0] - np.asarray(COLOURS["black"]) / 255).max() < 1e-6
    assert judge(image[22:-22, 22:-22], Scene("red", (Thing("star", "yellow"),))).clean


@pytest.mark.parametrize("two", [0.0, 1.0])
def test_things_stay_on_the_plate(two):
    for scene in some_scenes(60, two):
        for thing in on_a_plate(scene).things:
            assert np.hypot(thing.x, thing.y) + thing.radius < 0.95


def test_the_content_of_a_badge():
    rng = np.random.default_rng(1)
    for scene in some_scenes(30, 0.0):
        content = on_the_badge(draw_badge(scene, 128, rng))
        assert content is not None
        assert judge(content, Scene(scene.background, scene.things)).right_at(0.9)


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_drawings_are_no_badges(shape):
    for colour, background in (("red", "black"), ("black", "white"), ("white", "black"), ("yellow", "blue")):
        assert on_the_badge(draw(Scene(background, (Thing(shape, colour, radius=0.75),)))) is None


def test_other_images_are_no_badges():
    badge = draw_badge(Scene("green", (Thing("heart", "pink"),)))
    assert on_the_badge(np.roll(badge, 20, axis=1)) is None, "the plate is not in the middle"
    assert on_the_badge(np.full((128, 128, 3), 0.5, np.float32)) is None
    coloured = np.where(badge == badge[0, 0], np.float32([0.9, 0.6, 0.1]), badge)
    assert on_the_badge(coloured) is None, "the ground is neither black nor white"
    soft = gaussian_filter(badge, (1, 1, 0))
    assert on_the_badge(soft) is not None
