"""From the values of a form to a file with its record, without a model."""

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.demo import runs as module
from mindone_tcd.demo.offers import Key
from mindone_tcd.demo.options import Options
from mindone_tcd.demo.runs import Call, Done, Loading, Mapped, Runs, Step
from mindone_tcd.demo.worker import Warned
from mindone_tcd.errors import UsageError
from mindone_tcd.generate.generated_image import GeneratedImage
from mindone_tcd.generate.png_record import read_record


class Pipe:
    """Behaves like a loaded pipeline that draws its seed."""

    class setup:
        animated = False

    def __init__(self):
        self.requests = []

    def control_maps(self, request):
        return [Image.new("RGB", (8, 8))]

    def batches(self, request, on_step):
        self.requests.append(request)
        for step in range(request.steps):
            on_step(step, np.zeros((1, 4, 2, 2)))
        record = {"prompt": request.prompt, "seed": request.seeds[0], "steps": request.steps}
        yield [GeneratedImage(Image.new("RGB", (8, 8), (request.seeds[0],) * 3), record)]


@pytest.fixture
def pipe():
    return Pipe()


@pytest.fixture
def runs(pipe, tmp_path, monkeypatch):
    made = Runs(Options(), tmp_path)
    monkeypatch.setattr(made._pipelines, "_load", lambda key: pipe)
    return made


def call(task="text-to-image", prompt="a red circle on a blue background", **change):
    values = {
        "negative_prompt": "", "seed": 7, "steps": 2, "guidance_scale": 0, "eta": 0.3, "size": (128, 128),
        "preview": False, **change,
    }  # fmt: skip
    kind = "canny" if task == "controlnet" else ""
    return Call(Key(task, values.pop("method", "tcd"), kind), prompt, **values)


def test_a_run(runs, pipe, tmp_path):
    events = list(runs.events(call()))
    assert [type(event) for event in events] == [Loading, Step, Step, Done]
    assert events[1] == Step(1, 2, None)
    done = events[-1]
    assert done.summary == f"2 steps, {done.seconds:.2f} s, seed 7"
    assert done.files == [done.path]
    assert done.path.endswith("a-red-circle-on-a-blue-background-seed7.png")
    assert read_record(done.path) == done.record
    assert [type(event) for event in runs.events(call())] == [Step, Step, Done]  # it is loaded now
    assert pipe.requests[0].eta == 0.3


def test_eta_is_left_out_for_a_method_without_it(runs, pipe):
    list(runs.events(call(method="lcm")))
    assert pipe.requests[0].eta is None


def test_files_of_runs_have_names_that_cannot_be_guessed(runs):
    paths = [list(runs.events(call()))[-1].path for _ in range(2)]
    assert len({path.rsplit("/", 2)[1] for path in paths}) == 2
    assert all(len(path.rsplit("/", 2)[1]) == 32 for path in paths)


def test_warnings_are_events(runs):
    events = list(runs.events(call(prompt="a red elephant on a blue background")))
    assert isinstance(events[0], Warned)
    assert "'elephant'" in events[0].message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 9}, "steps is 9; expected an integer from 1 to 8"),
        ({"size": (100, 128)}, "size 100 is not divisible by 8"),
        ({"guidance_scale": -1}, "guidance is -1"),
        ({"task": "image-to-image", "size": None}, "image-to-image needs image"),
        ({"method": "none"}, "unknown method"),
    ],
)
def test_bad_values_are_refused_before_loading(runs, monkeypatch, change, message):
    monkeypatch.setattr(runs._pipelines, "_load", lambda key: pytest.fail("loaded"))
    with pytest.raises(UsageError, match=message):
        list(runs.events(call(**change)))


def test_input_images_are_files_of_the_run(runs, tmp_path):
    path = tmp_path / "secret" / "star.png"
    path.parent.mkdir()
    Image.new("RGB", (64, 64)).save(path)
    inputs = {"control": str(path), "control_scale": 1.0}
    *_, done = events = list(runs.events(call("controlnet", size=None, inputs=inputs)))
    assert [type(event) for event in events if not isinstance(event, Warned)] == [Loading, Mapped, Step, Step, Done]
    assert done.files == [done.path, str(path)]
    path.write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"image 'star.png' is not a PNG") as error:
        list(runs.events(call("controlnet", size=None, inputs=inputs)))
    assert "secret" not in str(error.value)


def test_the_time_is_without_previews(runs, pipe, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    done = list(runs.events(call()))[-1]
    assert done.seconds == 3  # six readings, of which two pairs are the steps
