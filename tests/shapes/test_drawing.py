"""Distances to shapes, how pixels are covered, and colors."""

import numpy as np
import pytest

from mindone_tcd.shapes.drawing import COLOUR_JITTER, coverage, distance, draw
from mindone_tcd.shapes.grammar import COLOURS, SHAPES, Scene, Thing

INSIDE = dict.fromkeys(SHAPES, (0.0, 0.0)) | {"ring": (0.7, 0.0), "moon": (-0.6, 0.2)}
OUTSIDE = {
    "circle": (0.7, 0.7),
    "square": (0.85, 0.0),
    "diamond": (0.5, 0.5),
    "ring": (0.0, 0.0),
    "cross": (0.5, 0.5),
    "triangle": (0.5, -0.5),
    "star": (0.0, 0.9),
    "heart": (0.0, -0.85),
    "moon": (0.5, -0.15),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_signs_inside_and_outside(shape):
    def at(x, y):
        return float(distance(shape, np.array(x), np.array(y)))

    assert at(*INSIDE[shape]) < 0
    assert at(*OUTSIDE[shape]) > 0
    for x, y in ((3, 0), (-3, 0), (0, 3), (0, -3)):
        assert at(x, y) > 0.5, "a shape has a radius of about 1"


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"moon"}))
def test_all_shapes_but_the_moon_are_symmetric(shape):
    x, y = np.meshgrid(np.linspace(-1.2, 1.2, 25), np.linspace(-1.2, 1.2, 25))
    np.testing.assert_allclose(distance(shape, x, y), distance(shape, -x, y), atol=1e-12)


def test_the_triangle_and_the_star_point_up_and_the_heart_down():
    def width(shape, y):
        return int((distance(shape, np.linspace(-1.2, 1.2, 241), np.full(241, y)) < 0).sum())

    assert width("triangle", -0.6) < width("triangle", 0.6)
    assert 0 < width("star", -0.95) < width("star", -0.5)
    assert width("heart", 0.6) < width("heart", -0.3)


def test_an_unknown_shape():
    with pytest.raises(ValueError, match=r"^unknown shape 'blob'$"):
        distance("blob", np.zeros(1), np.zeros(1))


def test_coverage_has_the_area_of_the_shape_and_its_place():
    alpha = coverage("circle", 0.0, 0.0, 0.5, 64)
    assert alpha.shape == (64, 64)
    assert alpha.dtype == np.float32
    assert alpha.min() == 0
    assert alpha.max() == 1
    np.testing.assert_allclose(alpha.sum(), np.pi * (0.95 * 0.5 * 32) ** 2, rtol=0.01)
    moved = coverage("circle", 0.25, -0.5, 0.2, 64)
    rows, columns = np.nonzero(moved > 0.5)
    np.testing.assert_allclose([columns.mean(), rows.mean()], [(1.25 / 2) * 64 - 0.5, (0.5 / 2) * 64 - 0.5], atol=0.1)


def test_an_edge_is_one_pixel_wide():
    row = coverage("square", 0.0, 0.0, 0.5, 64)[32]
    partly = (row > 0) & (row < 1)
    assert 1 <= partly.sum() <= 4
    assert np.all(np.diff(row[:32]) >= 0)


SCENE = Scene("blue", (Thing("circle", "red", 0.0, 0.0, 0.5),))


def test_a_scene_has_the_colors_of_its_names():
    image = draw(SCENE, 32)
    assert image.shape == (32, 32, 3)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[0, 0] * 255, COLOURS["blue"], atol=1e-3)
    np.testing.assert_allclose(image[16, 16] * 255, COLOURS["red"], atol=1e-3)


def test_the_last_thing_covers_the_others():
    both = Scene("blue", (*SCENE.things, Thing("square", "green", 0.0, 0.0, 0.2)))
    np.testing.assert_allclose(draw(both, 32)[16, 16] * 255, COLOURS["green"], atol=1e-3)
    np.testing.assert_allclose(draw(both, 32)[16, 10] * 255, COLOURS["red"], atol=1e-3)


def test_a_generator_varies_the_colors_a_little():
    plain = draw(SCENE, 16)
    first, again, other = (draw(SCENE, 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    assert 0 < np.abs(first - plain).max() < 6 * COLOUR_JITTER
    assert first.min() >= 0
    assert first.max() <= 1
