"""Clips: their captions, their drawings, and the judge of clips."""

import numpy as np
import pytest

from mindone_tcd.shapes.clips import ZOOM, draw_clip, judge_clip, radius_of
from mindone_tcd.shapes.grammar import DIRECTIONS, Scene, Thing
from mindone_tcd.shapes.judge import read

FRAMES = 6


def scene(size=None):
    return Scene("blue", (Thing("circle", "red"),), size=size)


@pytest.mark.parametrize("direction", [*DIRECTIONS, None])
@pytest.mark.parametrize("size", ["small", "large", None])
def test_the_judge_sees_what_was_drawn(direction, size):
    clip = draw_clip(scene(size), direction, FRAMES, seed=0)
    assert clip.shape == (FRAMES, 128, 128, 3)
    assert clip.dtype == np.float32
    verdict = judge_clip(clip, scene(size), direction)
    assert (verdict.direction, verdict.identity, verdict.smooth) == (True, 1.0, True)
    assert verdict.growth == pytest.approx(1, abs=0.02)
    others = [other for other in (*DIRECTIONS, None) if other != direction]
    assert not any(judge_clip(clip, scene(size), other).direction for other in others)


def test_the_path_crosses_the_center_at_constant_speed():
    places = [read(frame).things[0] for frame in draw_clip(scene("small"), "down", 5)]
    assert [thing.x for thing in places] == pytest.approx([0] * 5, abs=0.02)
    assert np.diff([thing.y for thing in places]) == pytest.approx(places[-1].y / 2, abs=0.02)
    assert places[2].y == pytest.approx(0, abs=0.02)
    assert places[2].radius == pytest.approx(radius_of("small"), abs=0.02)


def test_one_frame_is_the_middle_of_the_path():
    assert read(draw_clip(scene(), "left", 1)[0]).things[0].x == pytest.approx(0, abs=0.02)


def test_the_colors_of_all_frames_are_equal():
    clip = draw_clip(scene(), "left", 3, seed=5)
    assert (clip[:, 0, 0] == clip[0, 0, 0]).all()
    assert (clip[0, 0, 0] != draw_clip(scene(), "left", 3)[0, 0, 0]).any()


def test_a_zoom_grows():
    verdict = judge_clip(draw_clip(scene(), None, FRAMES, zoom=ZOOM), scene(), None)
    assert verdict.growth == pytest.approx(ZOOM[1] / ZOOM[0], rel=0.03)
    assert verdict.identity == 1


def test_a_jump_is_not_smooth():
    clip = draw_clip(scene("small"), "right", FRAMES)
    clip[3] = clip[4]
    verdict = judge_clip(clip, scene("small"), "right")
    assert verdict.direction
    assert not verdict.smooth


def test_another_thing_loses_the_identity():
    clip = draw_clip(scene(), None, FRAMES)
    clip[1] = draw_clip(Scene("blue", (Thing("square", "red"),)), None, 1)[0]
    clip[2] = draw_clip(Scene("green", (Thing("circle", "red"),)), None, 1)[0]
    assert judge_clip(clip, scene(), None).identity == pytest.approx(4 / 6)


def test_a_frame_without_a_thing_has_no_direction():
    clip = draw_clip(scene(), "right", FRAMES)
    clip[2] = clip[2][0, 0]
    verdict = judge_clip(clip, scene(), "right")
    assert not verdict.direction
    assert not verdict.smooth
    assert verdict.growth == pytest.approx(1, abs=0.02)
    clip[0] = clip[2]
    assert judge_clip(clip, scene(), "right").growth is None


def test_a_single_frame_is_refused():
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        judge_clip(draw_clip(scene(), None, 1), scene(), None)
