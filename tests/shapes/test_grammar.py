import numpy as np
import pytest

from mindone_tcd.shapes.grammar import (
    COLOURS,
    SHAPES,
    VOCABULARY,
    caption,
    held_out,
    moving,
    parse,
    random_scene,
    split_words,
)


def test_every_caption_can_be_parsed():
    rng = np.random.default_rng(0)
    for _ in range(500):
        scene = random_scene(rng, two=0.4, unseen=None)
        found = parse(caption(scene, rng))
        assert found is not None, caption(scene, rng)
        assert found.background == scene.background
        assert [(t.shape, t.colour) for t in found.things] == [(t.shape, t.colour) for t in scene.things]
        assert found.relation == scene.relation


def test_every_caption_uses_known_words():
    rng = np.random.default_rng(1)
    words = {word for _ in range(500) for word in split_words(caption(random_scene(rng, 0.5, None), rng))}
    assert words <= set(VOCABULARY), words - set(VOCABULARY)


def test_held_out_combinations_never_reach_training():
    rng = np.random.default_rng(2)
    for _ in range(2000):
        scene = random_scene(rng, two=0.3)
        assert not any(held_out(t.shape, t.colour, scene.background) for t in scene.things)
    unseen = random_scene(rng, unseen=True)
    assert all(held_out(t.shape, t.colour, unseen.background) for t in unseen.things)


def test_share_held_out():
    combinations = [(s, c, b) for s in SHAPES for c in COLOURS for b in COLOURS if b != c]
    kept = sum(held_out(*combination) for combination in combinations)
    assert (len(combinations), kept) == (1188, 180)


@pytest.mark.parametrize("prompt", ["a dragon", "red", "a red circle", "a red circle on a blue background at night"])
def test_prompts_outside_the_grammar_are_not_parsed(prompt):
    assert parse(prompt) is None


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red circle in the right on a blue background", "a red circle moving right on a blue background"),
        ("a red circle in the top, blue background", "a red circle moving up, blue background"),
        ("a red circle in the top left on blue", "a red circle in the top left on blue"),
        ("a red circle on a blue background", "a red circle on a blue background"),
    ],
)
def test_a_position_becomes_a_direction(prompt, expected):
    assert moving(prompt) == expected
