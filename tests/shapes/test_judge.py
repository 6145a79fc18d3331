import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import SHAPES, Scene, Thing, random_scene
from mindone_tcd.shapes.judge import features, frechet_distance, judge, read


def red_circle_on_blue() -> Scene:
    return Scene("blue", (Thing("circle", "red"),), size="medium", position="center")


def test_real_drawings_are_right_in_every_part():
    rng = np.random.default_rng(0)
    for _ in range(60):
        scene = random_scene(rng, two=0.3, unseen=None)
        verdict = judge(draw(scene, 128, rng), scene)
        assert verdict.right, (scene, verdict)
        assert False not in (verdict.size, verdict.position, verdict.relation), (scene, verdict)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_told_from_the_others(shape):
    found = read(draw(Scene("white", (Thing(shape, "black", 0.1, -0.1, 0.4),)), 128)).things[0]
    assert found.shape == shape
    assert sorted(found.overlaps)[-1] - sorted(found.overlaps)[-2] > 0.1
    assert (found.x, found.y, found.radius) == pytest.approx((0.1, -0.1, 0.4), abs=0.02)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"things": (Thing("square", "red"),)}, "shape"),
        ({"things": (Thing("circle", "green"),)}, "colour"),
        ({"background": "white"}, "background"),
        ({"things": (Thing("circle", "red", radius=0.25),)}, "size"),
        ({"things": (Thing("circle", "red", x=0.4),)}, "position"),
    ],
)
def test_one_wrong_part_is_named(change, part):
    from dataclasses import replace

    verdict = judge(draw(replace(red_circle_on_blue(), **change), 128), red_circle_on_blue())
    wrong = [name for name in ("shape", "colour", "background", "size", "position") if not getattr(verdict, name)]
    assert wrong == [part]
    assert verdict.right == (part in ("size", "position"))


def test_relation_and_order_count():
    pair = Scene(
        "white", (Thing("star", "red", -0.5, 0, 0.35), Thing("moon", "blue", 0.5, 0, 0.35)), relation="to the left of"
    )
    picture = draw(pair, 128)
    assert judge(picture, pair).right
    swapped = Scene("white", pair.things[::-1], relation="to the left of")
    assert not judge(picture, swapped).right


def test_missing_extra_and_smeared_things_are_wrong():
    scene = red_circle_on_blue()
    rng = np.random.default_rng(1)
    assert not judge(draw(Scene("blue", ()), 128), scene).right
    extra = Scene("blue", (*scene.things, Thing("star", "white", 0.75, 0.75, 0.2)))
    assert not judge(draw(extra, 128), scene).right
    assert not judge(rng.random((128, 128, 3)), scene).right
    star = Scene("blue", (Thing("star", "red", radius=0.35),))
    assert not judge(gaussian_filter(draw(star, 128), (7, 7, 0)), star).shape


def test_only_square_colour_pictures_are_read():
    with pytest.raises(ValueError, match=r"square RGB.*\(4, 5, 3\)"):
        read(np.zeros((4, 5, 3)))


def test_frechet_distance_grows_with_damage():
    rng = np.random.default_rng(2)

    def pictures(count):
        return [draw(random_scene(rng, unseen=None), 64, rng) for _ in range(count)]

    real, again = (np.array([features(p) for p in pictures(100)]) for _ in range(2))
    blurred = np.array([features(gaussian_filter(p, (1, 1, 0))) for p in pictures(100)])
    noisy = np.array([features(gaussian_filter(p + rng.normal(0, 0.05, p.shape), (2, 2, 0))) for p in pictures(100)])
    near, far, farther = (frechet_distance(real, other) for other in (again, blurred, noisy))
    assert near < far < farther
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-3)


def test_frechet_distance_of_two_gaussians():
    rng = np.random.default_rng(3)
    a = rng.normal(0, 1, (20000, 2))
    b = rng.normal(0, 1, (20000, 2)) * 2 + 3
    # (3² + (2-1)²) in each of two independent directions, in units of a's deviation of 1
    assert frechet_distance(a, b) == pytest.approx(20, rel=0.05)
