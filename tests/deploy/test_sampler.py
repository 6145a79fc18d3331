"""The samplers on the host against the schedulers on the device."""

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd import LCMScheduler, TCDScheduler
from mindone_tcd.deploy.sampler import Sampler
from mindone_tcd.errors import UsageError
from mindone_tcd.random import generator

SHAPE = (2, 4, 6, 5)
CONFIGS = [{}, {"prediction_type": "v_prediction", "beta_schedule": "linear", "original_inference_steps": 25}]
TOLERANCE = 1e-6
"""Both compute in float32, in the same order."""


def outputs(x, timestep):
    return np.sin(x * 3 + timestep).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=["default", "other"])
@pytest.mark.parametrize(
    ("method", "scheduler", "options"),
    [
        ("tcd", TCDScheduler, {"eta": 0.3}),
        ("tcd", TCDScheduler, {"eta": 1.0}),
        ("tcd", TCDScheduler, {"eta": 0.0}),
        ("lcm", LCMScheduler, {}),
    ],
)
@pytest.mark.parametrize(("steps", "first"), [(4, 0), (1, 0), (8, 3)])
def test_a_run_equals_that_of_the_scheduler(method, scheduler, options, config, steps, first):
    device, host = scheduler(**config), Sampler(method, config)
    device.set_timesteps(steps)
    timesteps = host.timesteps(steps)
    assert timesteps.tolist() == device.timesteps_list
    start = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    streams = [generator(seed) for seed in (5, 6)]
    device.set_begin_index(first)
    x = ms.Tensor(start)
    for timestep in device.timesteps_list[first:]:
        output = ms.Tensor(outputs(x.asnumpy(), timestep))
        x = device.step(output, timestep, x, generator=streams, **options)[0]
    streams = [generator(seed) for seed in (5, 6)]
    seen = []
    host.observer = lambda index, latents: seen.append(index)
    *_, last = host.run(start, timesteps, first, options.get("eta"), streams, outputs)
    assert abs(last - x.asnumpy()).max() <= TOLERANCE * max(1, abs(last).max())
    assert seen == list(range(steps - first))


def test_noise_for_an_image(tmp_path):
    x, z = (np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32) for seed in (1, 2))
    expected = TCDScheduler().add_noise(ms.Tensor(x), ms.Tensor(z), ms.Tensor([499], ms.int64)).asnumpy()
    assert abs(Sampler("tcd", {}).noised(x, z, 499) - expected).max() <= TOLERANCE


def test_float16_latents_stay_float16():
    sampler = Sampler("tcd", {})
    start = np.ones((1, 4, 2, 2), np.float16)
    for latents in sampler.run(start, sampler.timesteps(2), 0, 0.3, [generator(0)], outputs):
        assert latents.dtype == np.float16


def test_strength_shortens_the_grid_as_in_the_scheduler():
    scheduler = LCMScheduler()
    scheduler.set_timesteps(4, strength=0.5)
    assert Sampler("lcm", {}).timesteps(4, 0.5).tolist() == scheduler.timesteps_list


def test_more_steps_than_the_grid():
    with pytest.raises(ValueError, match="allow at most 25"):
        Sampler("lcm", {}).timesteps(30, 0.5)


@pytest.mark.parametrize(
    ("method", "config", "said"),
    [
        ("ddim", {}, "exported method is 'ddim'"),
        ("tcd", {"original_inference_steps": 0}, "original_inference_steps=0"),
        ("tcd", {"num_train_timesteps": 10}, "num_train_timesteps=10"),
    ],
)
def test_invalid_configurations(method, config, said):
    with pytest.raises(UsageError, match=said):
        Sampler(method, config)


def test_a_step_that_is_not_finite():
    sampler = Sampler("tcd", {"rescale_betas_zero_snr": True})
    run = sampler.run(np.ones((1, 4, 2, 2), np.float32), sampler.timesteps(1), 0, 0.3, [generator(0)], outputs)
    with pytest.raises(UsageError, match="no finite step at timestep 999"):
        next(run)
