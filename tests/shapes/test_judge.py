from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import SHAPES, Scene, Thing, random_scene
from mindone_tcd.shapes.judge import features, frechet_distance, judge, located, read


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
def test_each_shape_is_distinguished_from_the_others(shape):
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
    image = draw(pair, 128)
    assert judge(image, pair).right
    swapped = Scene("white", pair.things[::-1], relation="to the left of")
    assert not judge(image, swapped).right


def test_missing_extra_and_smeared_things_are_wrong():
    scene = red_circle_on_blue()
    rng = np.random.default_rng(1)
    assert not judge(draw(Scene("blue", ()), 128), scene).right
    extra = Scene("blue", (*scene.things, Thing("star", "white", 0.75, 0.75, 0.2)))
    assert not judge(draw(extra, 128), scene).right
    assert not judge(rng.random((128, 128, 3)), scene).right
    star = Scene("blue", (Thing("star", "red", radius=0.35),))
    assert not judge(gaussian_filter(draw(star, 128), (7, 7, 0)), star).shape


def test_only_square_color_images_are_accepted():
    with pytest.raises(ValueError, match=r"\(4, 5, 3\); expected a square RGB"):
        read(np.zeros((4, 5, 3)))


def test_frechet_distance_grows_with_damage():
    rng = np.random.default_rng(2)

    def drawings(count):
        return [draw(random_scene(rng, unseen=None), 64, rng) for _ in range(count)]

    real, again = (np.array([features(p) for p in drawings(100)]) for _ in range(2))
    blurred = np.array([features(gaussian_filter(p, (1, 1, 0))) for p in drawings(100)])
    noisy = np.array([features(gaussian_filter(p + rng.normal(0, 0.05, p.shape), (2, 2, 0))) for p in drawings(100)])
    near, far, farther = (frechet_distance(real, other) for other in (again, blurred, noisy))
    assert near < far < farther
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-3)


def test_frechet_distance_of_two_gaussians():
    rng = np.random.default_rng(3)
    a = rng.normal(0, 1, (20000, 2))
    b = rng.normal(0, 1, (20000, 2)) * 2 + 3
    # (3² + (2-1)²) in each of two independent directions, in units of a's deviation of 1
    assert frechet_distance(a, b) == pytest.approx(20, rel=0.05)


def filled(image, where, color):
    """The image with a color in RGB (0 to 1) where the mask is true."""
    return np.where(where[..., None], np.float32(color), image)


def test_real_drawings_are_clean():
    rng = np.random.default_rng(4)
    for _ in range(60):
        scene = random_scene(rng, two=0.3, unseen=None)
        verdict = judge(draw(scene, 128, rng), scene)
        assert verdict.clean, (scene, verdict)
        assert verdict.overlap > 0.96, (scene, verdict)
        circles = any(thing.shape == "circle" for thing in scene.things)
        assert verdict.roundness == (pytest.approx(1, abs=0.005) if circles else None), (scene, verdict)


def test_right_at_another_threshold():
    # A star whose arms are rounded off still overlaps the drawing by more than 0.8, and looks wrong.
    scene = Scene("blue", (Thing("star", "red", radius=0.5),))
    verdict = judge(gaussian_filter(draw(scene, 128), (4, 4, 0)), scene)
    assert 0.8 < verdict.overlap < 0.9
    assert verdict.right
    assert verdict.right == verdict.right_at(0.8)
    assert not verdict.right_at(0.9)
    assert not verdict.clean
    for threshold in (0, 1.1):
        with pytest.raises(ValueError, match="minimum overlap"):
            verdict.right_at(threshold)


def test_another_shape_or_number_has_no_overlap():
    circle = draw(red_circle_on_blue(), 128)
    assert judge(circle, Scene("blue", (Thing("diamond", "red"),))).overlap == 0
    assert judge(circle, Scene("blue", (Thing("circle", "red"), Thing("star", "red")))).overlap == 0
    assert judge(draw(Scene("blue", ()), 128), red_circle_on_blue()).overlap == 0


def test_ghosts_are_counted():
    scene = Scene("gray", (Thing("circle", "red", -0.4, 0, 0.4),))
    image = draw(scene, 128)
    y, x = np.mgrid[:128, :128]

    def spot(radius, color, at=(100, 30)):
        return filled(image, np.hypot(x - at[0], y - at[1]) < radius, color)

    gray = np.full(3, 130 / 255)
    # 0.3 % of the area, too small for an object; then a large faint region; then an object of full size.
    for radius, color in ((4, (0, 0, 0)), (12, gray + 0.07), (12, (0, 0, 0))):
        verdict = judge(spot(radius, color), scene)
        assert verdict.ghosts == 1, (radius, color)
        assert not verdict.clean
    assert judge(spot(4, (0, 0, 0)), scene).right
    assert judge(np.where(x[..., None] > 120, spot(4, (0, 0, 0)) * 0 + 1, spot(12, gray + 0.07)), scene).ghosts == 2
    # Specks below 0.2 % and invisible differences are no ghosts.
    assert judge(spot(2.5, (0, 0, 0)), scene).ghosts == 0
    assert judge(spot(12, gray + 0.03), scene).ghosts == 0


def test_a_smear_that_touches_the_thing_is_a_ghost():
    scene = Scene("gray", (Thing("circle", "red", -0.4, 0, 0.4),))
    image = draw(scene, 128)
    _, x = np.mgrid[:128, :128]
    far = image == image[0, 0]
    smear = np.where(far & (x > 40)[..., None] & (x < 100)[..., None], image + 0.08, image)
    assert judge(smear, scene).ghosts > 0


def half(shape, first, second, share=0.5, blur=0.0, **place):
    """An object whose right part has a second color."""
    scene = Scene("white", (Thing(shape, first, **place),))
    one, other = draw(scene, 128), draw(Scene("white", (Thing(shape, second, **place),)), 128)
    columns = np.cumsum(np.any(one < 0.9, axis=2).sum(0))
    left = columns <= (1 - share) * columns[-1]
    image = np.where(left[None, :, None], one, other)
    return (gaussian_filter(image, (blur, blur, 0)) if blur else image), scene


@pytest.mark.parametrize("shape", SHAPES)
def test_two_tone_fills_are_detected(shape):
    for share in (0.3, 0.5):
        image, scene = half(shape, "purple", "gray", share)
        verdict = judge(image, scene)
        assert verdict.two_tone, share
        assert not verdict.clean
    image, scene = half(shape, "purple", "gray", 0.5, blur=1.5)
    assert judge(image, scene).two_tone, "a blurred boundary between two colors"


@pytest.mark.parametrize("shape", SHAPES)
def test_one_color_with_any_edge_is_not_two_tone(shape):
    for first, second in (("purple", "gray"), ("red", "brown")):
        image, scene = half(shape, first, second, 0.04)
        assert not judge(image, scene).two_tone, "a speck of the other color"
    for radius in (0.26, 0.7):
        scene = Scene("white", (Thing(shape, "black", radius=radius),))
        for blur in (0, 0.7, 1.5, 3):
            assert not judge(gaussian_filter(draw(scene, 128), (blur, blur, 0)), scene).two_tone, (radius, blur)


@pytest.mark.parametrize("radius", [0.26, 0.5, 0.75])
def test_the_roundness_of_drawn_circles_is_one_at_any_position(radius):
    for x, y in ((0, 0), (0.004, 0.011), (0.2, -0.13)):
        scene = Scene("blue", (Thing("circle", "red", x, y, radius),))
        assert judge(draw(scene, 128), scene).roundness == pytest.approx(1, abs=0.003)


def lumpy(waves, depth, radius=0.5):
    """A circle whose radius varies by `depth`, `waves` times around."""
    y, x = (np.mgrid[:128, :128] + 0.5) / 64 - 1
    outline = 0.95 * radius * (1 + depth * np.cos(waves * np.arctan2(y, x)))
    alpha = np.clip((outline - np.hypot(x, y)) * 64 + 0.5, 0, 1)[..., None]
    return (np.float32([35, 60, 215]) * (1 - alpha) + np.float32([220, 30, 35]) * alpha).astype(np.float32) / 255


@pytest.mark.parametrize(("waves", "depth"), [(2, 0.08), (3, 0.06), (5, 0.03), (6, 0.06)])
def test_roundness_is_that_of_the_outline(waves, depth):
    # The exact curve, as a polygon with very many corners.
    curve = np.exp(1j * (turn := np.linspace(0, 2 * np.pi, 10000))) * (1 + depth * np.cos(waves * turn))
    area = 0.5 * np.sum(curve[:-1].real * curve[1:].imag - curve[1:].real * curve[:-1].imag)
    expected = 4 * np.pi * area / np.abs(np.diff(curve)).sum() ** 2
    verdict = judge(lumpy(waves, depth), red_circle_on_blue())
    assert verdict.roundness == pytest.approx(expected, abs=0.003)
    assert verdict.round == (expected > 0.97)


def test_a_circle_that_looks_lumpy_is_right_but_not_clean():
    scene = Scene("blue", (Thing("circle", "red"),))
    assert judge(lumpy(4, 0.01), scene).clean
    verdict = judge(lumpy(4, 0.045), scene)
    assert verdict.right_at(0.9)
    assert verdict.round
    assert not verdict.clean
    assert judge(draw(Scene("blue", ()), 128), scene).roundness == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_things_are_located_within_a_pixel(shape):
    rng = np.random.default_rng(SHAPES.index(shape))
    for _ in range(4):
        x, y, radius = rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), rng.uniform(0.28, 0.55)
        drawn = Scene("blue", (Thing(shape, "yellow", x, y, radius),))
        image = gaussian_filter(draw(drawn, 128, rng), (0.7, 0.7, 0))
        found = located(image, Scene("blue", (Thing(shape, "yellow"),)))
        (thing,) = found.things
        pixels = np.abs(np.subtract((thing.x, thing.y, thing.radius), (x, y, radius))) * 64
        assert pixels.max() < 1, (shape, pixels)
        assert (found.background, thing.shape, thing.colour) == ("blue", shape, "yellow")


def test_two_things_are_located_in_the_captions_order():
    left, right = Thing("star", "red", -0.45, 0.05, 0.35), Thing("ring", "green", 0.5, -0.05, 0.38)
    image = draw(Scene("white", (left, right)), 128)
    for relation, order in (("to the left of", (left, right)), ("to the right of", (right, left))):
        asked = Scene("white", tuple(replace(t, x=0, y=0, radius=0.5) for t in order), relation=relation)
        found = located(image, asked).things
        assert [t.shape for t in found] == [t.shape for t in order]
        assert np.allclose([(t.x, t.y) for t in found], [(t.x, t.y) for t in order], atol=2 / 128)


def test_nothing_is_located_where_the_image_shows_something_else():
    image = draw(Scene("white", (Thing("star", "red", 0, 0, 0.5),)), 128)
    two = Scene("white", (Thing("star", "red"), Thing("star", "blue")), relation="above")
    assert located(image, two) is None
    assert located(image, Scene("white", (Thing("ring", "red"),))) is None
