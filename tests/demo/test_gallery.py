"""The gallery of a session."""

from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')

from mindone_tcd.demo import gallery  # noqa: E402
from mindone_tcd.demo.limits import MOST_KEPT_IMAGES  # noqa: E402
from mindone_tcd.demo.runs import Done  # noqa: E402


def done(seed):
    return Done(f"/{seed}.png", {"seed": seed, "steps": 4}, 1.5, [f"/{seed}.png", "/in.png"])


def test_the_last_image_is_the_first():
    made = [done(k) for k in range(MOST_KEPT_IMAGES)]
    after, shown, files = gallery._added(done(99), made)
    assert [each.record["seed"] for each in after] == [99, *range(MOST_KEPT_IMAGES - 1)]
    assert shown["value"][0] == ("/99.png", "4 steps, 1.50 s, seed 99")
    assert shown["selected_index"] == 0
    assert (files["value"], files["visible"]) == (["/99.png", "/in.png"], True)
    assert len(made) == MOST_KEPT_IMAGES  # the state of other sessions is not changed


def test_nothing_is_added_without_a_run():
    assert gallery._added(None, [])[0] == []


def test_the_record_and_the_files_of_the_selected_image():
    made = [done(1), done(2)]
    assert gallery._selected(made, SimpleNamespace(index=1)) == (made[1].record, made[1].files)
    for index in (2, -1, None):
        assert gallery._selected(made, SimpleNamespace(index=index)) == (gr.skip(), gr.skip())
