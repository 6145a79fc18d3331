"""Which calls run as one trajectory, and that all steps are those of the loop; parts and schedulers are made here."""

import inspect
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.compiled import trajectory
from mindone_tcd.random import generator, standard_normal

TABLE = [(0.9, -0.4, 0.3), (0.8, -0.2, 0.0), (1.1, -0.5, 0.0)]


class Scheduler:
    """Has the place of a registered one."""

    affine = True
    observer = None

    def __init__(self):
        self.timesteps_list = [999, 499, 249]
        self.timesteps = ms.Tensor(self.timesteps_list)
        self.etas = []

    def coefficients(self, **eta):
        self.etas.append(eta)
        return TABLE

    def step(self, model_output, timestep, sample, eta=0.0, generator=None, return_dict=True):
        raise AssertionError("the scheduler's own step is not used")


Scheduler.__module__, Scheduler.__qualname__ = "mindone_tcd.schedulers.tcd", "TCDScheduler"


class StableDiffusionPipeline:
    def __init__(self):
        self.scheduler = Scheduler()
        self.unet = SimpleNamespace(config=SimpleNamespace(in_channels=4, out_channels=4))
        self.guidance_scale = 3.0
        self.totals = []

    def progress_bar(self, iterable=None, total=None):
        self.totals.append(total)
        return iterable


@pytest.fixture
def pipe():
    return StableDiffusionPipeline()


def test_a_call_that_fits(pipe):
    assert trajectory.fits(pipe, {})
    assert trajectory.fits(pipe, {"prompt": "a", "callback_on_step_end": None, "kwargs": {}})


@pytest.mark.parametrize(
    "given",
    [
        {"callback_on_step_end": print},
        {"kwargs": {"callback": print}},
        {"guidance_rescale": 0.5},
        {"denoising_end": 0.8},
        {"sigmas": [1.0]},
    ],
)
def test_calls_that_need_every_step(pipe, given):
    assert not trajectory.fits(pipe, given)


def test_an_observer_needs_every_step(pipe):
    pipe.scheduler.observer = print
    assert not trajectory.fits(pipe, {})


def test_pipelines_that_do_not_fit(pipe):
    pipe.unet.config.in_channels = 9
    assert not trajectory.fits(pipe, {})
    pipe.unet.config.in_channels = 4
    pipe.scheduler.affine = False
    assert not trajectory.fits(pipe, {})
    pipe.scheduler = SimpleNamespace(affine=True)
    assert not trajectory.fits(pipe, {}), "a scheduler that is not ours"
    other = type("StableDiffusionInpaintPipeline", (StableDiffusionPipeline,), {})()
    assert not trajectory.fits(other, {})


class Part:
    """Runs the statements of a graph with NumPy. The model is linear in the sample, the time and the condition."""

    def __init__(self):
        self.capture = None
        self.runs = []

    @staticmethod
    def part(x, t, condition):
        return (0.1 * x + 0.001 * t + np.reshape(condition, (-1, 1, 1, 1)),)

    def run(self, parameters, body, tensors):
        self.runs.append(list(parameters))
        names = {
            "mint": SimpleNamespace(cat=np.concatenate, chunk=lambda value, count: np.split(value, count)),
            "affine_step": lambda x, m, z, row: row[0] * x + row[1] * m + row[2] * z,
        }
        exec(f"def construct(self, {', '.join(parameters)}):\n{body}", names)
        return ms.Tensor(names["construct"](self, *(tensor.asnumpy() for tensor in tensors)).astype(np.float32))


def loop(pipe, part, whole, guided, eta=None):
    """A pipeline's loop; the result, and the stream after it."""
    stream = generator(7)
    sample = ms.Tensor(standard_normal((1, 4, 2, 2), generator(1)).astype(np.float32))
    condition = ms.Tensor(np.array([0.5, -0.25][: 2 if guided else 1], np.float32))
    given = {} if eta is None else {"eta": eta}
    with trajectory.in_one_call(pipe, part, whole):
        assert list(pipe.scheduler.timesteps.asnumpy()) == [999]
        assert "eta" in inspect.signature(pipe.scheduler.step).parameters
        pipe.progress_bar(total=3)
        rows = np.concatenate([sample.asnumpy()] * 2) if guided else sample.asnumpy()
        part.capture.append(((ms.Tensor(rows), 999, condition), {}))
        found = pipe.scheduler.step(None, 999, sample, generator=stream, **given)[0]
    return found.asnumpy(), stream.bit_generator.state


def expected(guided):
    stream = generator(7)
    x = standard_normal((1, 4, 2, 2), generator(1)).astype(np.float32)
    for t, (a, b, c) in zip([999, 499, 249], TABLE, strict=True):
        if guided:
            without, with_prompt = (Part.part(x, t, [value])[0] for value in (0.5, -0.25))
            m = without + 3.0 * (with_prompt - without)
        else:
            m = Part.part(x, t, [0.5])[0]
        x = a * x + b * m + (c * standard_normal(x.shape, stream) if c else 0)
    return x, stream.bit_generator.state


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_the_steps_of_the_loop_from_the_same_noise(pipe, whole, guided):
    part = Part()
    found, state = loop(pipe, part, whole, guided)
    wanted, wanted_state = expected(guided)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)  # float32, three steps
    assert state == wanted_state, "a step without noise draws none"
    assert len(part.runs) == (1 if whole else 3)
    assert len({tuple(names) for names in part.runs}) == 1, "each step is a call of one graph"


def test_eta_is_handed_on_if_it_is_given(pipe):
    scheduler = pipe.scheduler
    loop(pipe, Part(), True, False)
    loop(pipe, Part(), True, False, eta=0.5)
    assert scheduler.etas == [{}, {"eta": 0.5}]


def test_the_pipeline_is_as_before_also_after_an_error(pipe):
    scheduler, part = pipe.scheduler, Part()
    loop(pipe, part, True, False)
    assert (pipe.scheduler, part.capture, pipe._num_timesteps) == (scheduler, None, 3)
    assert "progress_bar" not in vars(pipe)
    assert pipe.totals == [1], "the bar counts one step"
    with pytest.raises(KeyError), trajectory.in_one_call(pipe, part, True):
        raise KeyError
    assert (pipe.scheduler, part.capture) == (scheduler, None)
    assert "progress_bar" not in vars(pipe)
