"""The order of the turns, with sides that run in this process."""

import numpy as np
import pytest

from mindone_tcd import UsageError
from mindone_tcd.compare import measure as module
from mindone_tcd.compare.measure import measure
from mindone_tcd.compare.sides import Side
from mindone_tcd.compare.worker import Drawn, Ended
from mindone_tcd.generate.request import Request

SIDES = [Side("text-to-image", "shapes", "tcd"), Side("text-to-image", "shapes", "lcm")]


def record(method: str) -> dict[str, str]:
    return {"method": method, "dtype": "float32"}


@pytest.fixture
def log(monkeypatch):
    """A list of all that the processes were asked to do."""
    done = []

    class InThisProcess:
        age = 9.0

        def __init__(self, side):
            self.name = side.method
            done.append((self.name, "start"))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            done.append((self.name, "stop"))

        def draw(self, request, timed):
            done.append((self.name, request.prompt, timed))
            size = 16 if request.prompt == "wide" else 8
            seconds = float(request.prompt == "b") + 1
            return Drawn(seconds, 2 * seconds, np.zeros((8, size, 3), np.uint8), record(self.name))

        def end(self):
            return Ended(123, {"unet": 4}, {"unet": 5})

    monkeypatch.setattr(module, "SideProcess", InThisProcess)
    return done


def asked(*prompts):
    one = [Request(prompt, None, (k,), 4, 0.0, 0.3, 8, 8) for k, prompt in enumerate(prompts)]
    return [one, one]


def test_sides_alternate_and_only_the_first_prompts_are_timed(log):
    said = []
    first, second = measure(SIDES, asked("a", "b", "c"), timed=2, say=said.append)
    assert log == [
        ("tcd", "start"),
        ("tcd", "a", False),
        ("lcm", "start"),
        ("lcm", "a", False),
        ("tcd", "a", True),
        ("lcm", "a", True),
        ("lcm", "b", True),
        ("tcd", "b", True),
        ("tcd", "c", False),
        ("lcm", "c", False),
        ("lcm", "stop"),
        ("tcd", "stop"),
    ]
    assert (first.label, second.label) == ("tcd", "lcm")
    assert first.seconds == [1.0, 2.0]
    assert first.processor == [2.0, 4.0]
    assert (len(first.images), first.first, first.peak, first.parameters) == (3, [9.0], 123, {"unet": 4})
    assert first.files == {"unet": 5}
    assert first.record == record("tcd")
    assert said[-1] == "3 of 3 prompts"


def test_further_processes_only_start(log):
    first, second = measure(SIDES, asked("a"), timed=1, starts=3)
    assert (len(first.first), len(second.first)) == (3, 3)
    assert log.count(("tcd", "start")) == 3
    assert log[:3] == [("tcd", "start"), ("tcd", "a", False), ("tcd", "stop")]


def test_images_of_several_sizes_end_all_processes(log):
    with pytest.raises(UsageError, match="several sizes"):
        measure(SIDES, asked("a", "wide"), timed=1)
    assert log[-2:] == [("lcm", "stop"), ("tcd", "stop")]
