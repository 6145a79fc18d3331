"""What a side's process answers, with a pipeline that draws gray images; a real process is in test_run.py."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mindone_tcd import UsageError
from mindone_tcd.compare import worker
from mindone_tcd.compare.sides import Side
from mindone_tcd.compare.worker import Ended, _serve
from mindone_tcd.generate import loading

SIDE = Side("text-to-image", "shapes", "tcd")


class Connection:
    """A connection to a parent that sends these commands, and then closes it."""

    def __init__(self, *commands):
        self.commands, self.sent = list(commands), []

    def recv(self):
        if not self.commands:
            raise EOFError
        return self.commands.pop(0)

    def send(self, message):
        self.sent.append(message)


class Pipeline:
    """Draws an image with one more of 255 at each call."""

    def __init__(self):
        weight = SimpleNamespace(size=10, itemsize=4)
        unet = SimpleNamespace(get_parameters=lambda: [weight, weight])
        self.pipeline = SimpleNamespace(
            components={"unet": unet, "tokenizer": object()},
            set_progress_bar_config=lambda disable: None,
            fuse_lora=lambda: self.calls.append("fuse"),
        )
        self.calls = []

    def batches(self, request):
        self.calls.append(request)
        yield [SimpleNamespace(image=Image.new("RGB", (4, 2), (len(self.calls),) * 3), record={"seed": 0})]


@pytest.fixture
def pipe(monkeypatch):
    found = Pipeline()

    def load(task, model, **given):
        found.loaded = task, model, given
        return found

    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(worker, "_silence", lambda: None)
    return found


def test_images_and_measures(pipe, monkeypatch):
    monkeypatch.setattr(worker, "SHORT", 100.0)
    connection = Connection(("draw", "request", True), ("draw", "request", False), ("end",))
    _serve(connection, SIDE, "modelscope")
    assert pipe.loaded == ("text-to-image", "shapes", {"method": "tcd", "hub": "modelscope"})
    assert pipe.calls == ["request"] * 4, "a short image is generated three times"
    loaded, (_, first), (_, second), (command, ended) = connection.sent
    assert (loaded, command) == (("loaded", None), "end")
    assert first.pixels.shape == (2, 4, 3)
    assert (first.pixels == 3).all()
    assert (second.pixels == 4).all()
    assert (first.record, second.seconds > 0) == ({"seed": 0}, True)
    assert ended == Ended(ended.peak, {"unet": 80}, {})
    assert ended.peak > 1e7


def test_a_long_image_is_generated_once(pipe, monkeypatch):
    monkeypatch.setattr(worker, "SHORT", 0.0)
    _serve(Connection(("draw", "request", True)), SIDE, "huggingface")
    assert pipe.calls == ["request"]


def test_loras_are_fused_before_the_first_image(pipe):
    _serve(Connection(("draw", "request", False)), Side("text-to-image", "shapes", fused=True), "huggingface")
    assert pipe.calls == ["fuse", "request"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (UsageError("what to do"), "usage", "what to do"),
        (ValueError("first\nlast"), "failed", "ValueError: last\nTraceback"),
        (MemoryError(), "failed", "MemoryError: \nTraceback"),
    ],
)
def test_errors_are_sent(pipe, monkeypatch, error, kind, text):
    def load(*given, **more):
        raise error

    monkeypatch.setattr(loading, "load", load)
    connection = Connection()
    _serve(connection, SIDE, "huggingface")
    ((found, message),) = connection.sent
    assert found == kind
    assert message.startswith(text)


def test_the_peak_is_at_least_what_is_in_use():
    block = np.ones(30_000_000, np.uint8)
    assert worker._peak() > block.nbytes
