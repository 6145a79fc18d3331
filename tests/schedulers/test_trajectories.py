"""Complete trajectories equal those of diffusers: stored ones and, if torch is installed, live ones."""

import importlib.util
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import trajectories as tr

from mindone_tcd.random import generator
from mindone_tcd.schedulers import LCMScheduler, TCDScheduler

SCHEDULERS = {"TCD": TCDScheduler, "LCM": LCMScheduler}
TOLERANCE = 1e-5  # relative to the sample's largest value


@pytest.fixture(scope="module")
def references():
    with np.load(tr.REFERENCES) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def diffusers_reference():
    path = Path(__file__).parents[2] / "tools" / "reference" / "schedulers.py"
    spec = importlib.util.spec_from_file_location("reference_schedulers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scheduler_for(name, config, timesteps):
    scheduler = SCHEDULERS[name](**config)
    scheduler.set_timesteps(**timesteps)
    return scheduler


def run(case, dtype=ms.float32):
    return tr.run(
        case,
        scheduler_for(case.scheduler, case.config, case.timesteps),
        put=lambda array: ms.Tensor(array, dtype=dtype),
        get=lambda tensor: tensor.astype(ms.float64).asnumpy(),
        generator=generator(0),
    )


def distance(sample, reference):
    return np.abs(sample - reference).max() / np.abs(reference).max()


def half_error(case, dtype):
    return np.sqrt(np.mean((run(case, dtype) - run(case, ms.float64)) ** 2))


HALF_CASES = [
    tr.Case(name, {"prediction_type": kind}, {"num_inference_steps": steps}, eta=eta, shape=(2, 4, 16, 16))
    for name, etas in (("TCD", tr.ETAS), ("LCM", (None,)))
    for eta in etas
    for kind in tr.PREDICTIONS
    for steps in (1, 4)
]


@pytest.mark.parametrize("case", tr.CASES, ids=lambda case: case.name)
def test_trajectory_equals_the_stored_one(case, references):
    assert distance(run(case), references[case.name]) < TOLERANCE


@pytest.mark.parametrize("grid", tr.GRIDS, ids=lambda grid: tr.grid_name(*grid))
def test_timesteps_equal_the_stored_ones(grid, references):
    scheduler = scheduler_for(*grid)
    assert scheduler.timesteps_list == references[tr.grid_name(*grid)].tolist()
    assert scheduler.timesteps.dtype == ms.int64
    assert scheduler.num_inference_steps == len(scheduler.timesteps)


@pytest.mark.parametrize(("schedule", "rescale"), tr.ALPHAS)
def test_noise_schedule_equals_the_stored_one(schedule, rescale, references):
    scheduler = TCDScheduler(beta_schedule=schedule, rescale_betas_zero_snr=rescale)
    difference = np.abs(scheduler.alphas_cumprod.asnumpy() - references[f"alphas {schedule} {rescale}"])
    assert difference.max() < (1e-6 if rescale else 1e-7)  # the rescaling rounds to float32 seven times


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("case", HALF_CASES, ids=lambda case: case.name)
def test_half_precision_is_no_worse_than_diffusers(case, dtype, references):
    sample = run(case, dtype)
    assert np.isfinite(sample).all()
    theirs = references[f"{str(dtype).lower()} error {case.name}"]
    assert half_error(case, dtype) <= 1.02 * theirs


@pytest.mark.parametrize(
    ("scheduler", "steps", "eta", "total", "mean"),
    [
        ("TCD", 1, 0.0, 29.8715, 0.0389),
        ("TCD", 10, 0.0, 181.2040, 0.2359),
        ("LCM", 1, None, 18.7097, 0.0244),
        ("LCM", 10, None, 197.7616, 0.2575),
    ],
)
def test_published_full_loops(scheduler, steps, eta, total, mean, references):
    sampler = scheduler_for(scheduler, {}, {"num_inference_steps": steps})
    sample = tr.published_sample()
    for place, timestep in enumerate(sampler.timesteps_list):
        noise = references["published noise"][place] if place < 9 else None
        output = ms.Tensor(tr.published_model(sample, timestep))
        options = {} if eta is None else {"eta": eta}
        sample = sampler.step(output, timestep, ms.Tensor(sample), noise=noise, **options)[0].asnumpy()
    assert np.abs(sample).sum() == pytest.approx(total, abs=1e-2)
    assert np.abs(sample).mean() == pytest.approx(mean, abs=1e-3)


@pytest.mark.parity
@pytest.mark.parametrize("case", tr.CASES, ids=lambda case: case.name)
def test_trajectory_equals_diffusers(case, diffusers_reference):
    assert distance(run(case), diffusers_reference.run(case)) < TOLERANCE


@pytest.mark.parity
def test_stored_references_are_diffusers_own(diffusers_reference, references):
    # torch rounds float32 differently on another processor: by up to 1e-6 of the largest value of a trajectory.
    for case in tr.CASES[:: len(tr.CASES) // 10]:
        stored, live = references[case.name], diffusers_reference.run(case)
        np.testing.assert_allclose(live, stored, rtol=0, atol=5e-6 * np.abs(stored).max())
