"""What the page shows during a run."""

import pytest

from mindone_tcd.errors import UsageError

gr = pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')

from mindone_tcd.demo import handlers  # noqa: E402
from mindone_tcd.demo.offers import Key  # noqa: E402
from mindone_tcd.demo.runs import Done, Loading, Mapped, Step  # noqa: E402
from mindone_tcd.demo.worker import Warned  # noqa: E402

COMMON = ("a star", None, 7.0, 4.0, 0, "tcd", 0.3, True)


class Runs:
    """Yields events, or raises an error."""

    def __init__(self, *events):
        self._events = events

    def events(self, call):
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event


def changes(*events, **more):
    return list(handlers.changes(Runs(*events), lambda: handlers.call(Key("x", "tcd"), COMMON), **more))


def test_the_call_of_a_form():
    call = handlers.call(Key("x", "tcd"), COMMON, {"image": None, "strength": 0.5}, (128.0, 96.0))
    assert (call.seed, call.steps, call.negative_prompt) == (7, 4, "")
    assert (call.size, call.inputs) == ((128, 96), {"strength": 0.5})
    for bad in (2.5, None):
        with pytest.raises(UsageError, match=f"steps is {bad}; expected an integer"):
            handlers.call(Key("x", "tcd"), ("", "", 0, bad, 0, "tcd", 0, True))


def test_each_event_changes_the_panel(monkeypatch):
    warned = []
    monkeypatch.setattr(handlers, "warn", warned.append)
    done = Done("/a.png", {"seed": 7, "steps": 2}, 1.0, ["/a.png"])
    skip = gr.skip()
    assert changes(Warned("strange"), Loading(), Step(1, 2, "preview"), Step(2, 2, None), done) == [
        (skip, "Generating …", skip, skip),
        (skip, "Loading the model …", skip, skip),
        ("preview", "Step 1 of 2 …", skip, skip),
        (skip, "Step 2 of 2 …", skip, skip),
        ("/a.png", "2 steps, 1.00 s, seed 7", done.record, done),
    ]
    assert warned == ["strange"]
    *_, mapped, last = changes(Mapped("edges"), done, has_map=True)
    assert mapped == ("edges", skip, "Generating …", skip, skip)
    assert last == ("edges", "/a.png", "2 steps, 1.00 s, seed 7", done.record, done)


def test_errors_are_toasts(capsys):
    with pytest.raises(gr.Error, match="no such thing"):
        changes(UsageError("no such thing"))
    with pytest.raises(gr.Error, match="unexpected RuntimeError"):
        changes(RuntimeError("inner"))
    assert "inner" in capsys.readouterr().err
    with pytest.raises(gr.Error, match="seed is None"):
        list(handlers.changes(Runs(), lambda: handlers.call(Key("x", "tcd"), ("", "", None, 4, 0, "tcd", 0, True))))


def test_stop_changes_only_the_status_of_a_run_that_goes_on():
    assert handlers._stopped("Step 1 of 2 …") == "Stopped"
    assert handlers._stopped("2 steps, 1.00 s, seed 7") == "2 steps, 1.00 s, seed 7"
    assert handlers._stopped(None) == ""
