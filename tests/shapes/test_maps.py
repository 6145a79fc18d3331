"""Control maps of drawings."""

import numpy as np
import pytest

from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import coverage, draw
from mindone_tcd.shapes.grammar import Scene, Thing

SQUARE = Thing("square", "red", -0.4, -0.3, 0.3)
CIRCLE = Thing("circle", "yellow", 0.4, 0.3, 0.5)


def drawn(*things, background="blue"):
    return (draw(Scene(background, things), 128) * 255).round().astype(np.uint8)


def inside(thing):
    return coverage(thing.shape, thing.x, thing.y, thing.radius, 128) > 0.5


def test_edges_are_at_the_border():
    found = maps.edges(drawn(SQUARE))
    assert found.shape == (128, 128, 3)
    assert set(np.unique(found)) == {0, 255}
    _, columns = np.nonzero(found[..., 0])
    # Side 0.82 * 0.3 half images around the center, in pixels.
    left, right = ((-0.4 + sign * 0.246 + 1) * 64 for sign in (-1, 1))
    assert abs(columns.min() - left) <= 2
    assert abs(columns.max() - right) <= 2
    assert not found[60:, 100:].any()


def test_the_larger_shape_is_nearer():
    found = maps.depth(drawn(SQUARE, CIRCLE))[..., 0]
    near, far = (int(np.median(found[inside(thing)])) for thing in (CIRCLE, SQUARE))
    assert near > far > 60
    assert found[0, 0] == 0
    # The area of the circle is π (0.95 * 0.5)², so its radius in half images is 0.475.
    assert near == pytest.approx((0.25 + 0.75 * 0.475) * 255, abs=2)


def test_normals_point_away_from_the_middle():
    found = maps.normals(drawn(CIRCLE)).astype(int) - 127
    row = found[int((1 + CIRCLE.y) * 64)]
    left, right = (int((1 + CIRCLE.x + sign * 0.45) * 64) for sign in (-1, 1))
    assert row[left, 0] > 40  # red points to the left
    assert row[right, 0] < -40
    column = found[:, int((1 + CIRCLE.x) * 64)]
    assert column[int((1 + CIRCLE.y - 0.45) * 64), 1] > 40  # green points up
    for y, x in ((int((1 + CIRCLE.y) * 64), int((1 + CIRCLE.x) * 64)), (2, 2)):
        assert abs(found[y, x] - [0, 0, 128]).max() <= 1


def test_a_plain_image_has_empty_maps():
    plain = drawn()
    assert not maps.edges(plain).any()
    assert not maps.depth(plain).any()
    assert (maps.normals(plain) == maps.normals(plain)[0, 0]).all()
