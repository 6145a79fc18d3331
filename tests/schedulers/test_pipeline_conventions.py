"""The interface that mindone's pipelines require of a scheduler, called through their own helper functions."""

import inspect
from types import SimpleNamespace

import mindspore as ms
import pytest
from kinds import EVERY
from mindone.diffusers import StableDiffusionXLImg2ImgPipeline
from mindone.diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import retrieve_timesteps

from mindone_tcd.random import generator, randn
from mindone_tcd.schedulers import LCMScheduler, TCDScheduler
from mindone_tcd.schedulers.timesteps import host_values


@EVERY
def test_timesteps_are_retrieved(kind):
    scheduler = kind()
    timesteps, count = retrieve_timesteps(scheduler, 4)
    assert count == len(timesteps) == 4
    timesteps, count = retrieve_timesteps(scheduler, None, [999, 499, 99])
    assert (count, timesteps.asnumpy().tolist()) == (3, [999, 499, 99])
    timesteps, _ = retrieve_timesteps(scheduler, 4, original_inference_steps=100, strength=0.5)
    assert len(timesteps) == 4


@EVERY
@pytest.mark.parametrize(
    ("steps", "strength", "start", "expected"),
    [
        (8, 0.5, None, [499, 379, 259, 139]),
        (4, 0.3, None, [259]),
        (8, 1.0, None, [999, 879, 759, 639, 499, 379, 259, 139]),
        (8, 1.0, 0.5, [499, 379, 259, 139]),
    ],
)
def test_image_to_image_starts_at_the_timestep_of_the_pipeline(kind, steps, strength, start, expected):
    scheduler = kind()
    scheduler.set_timesteps(steps)
    pipeline = SimpleNamespace(scheduler=scheduler)
    timesteps, count = StableDiffusionXLImg2ImgPipeline.get_timesteps(pipeline, steps, strength, start)
    assert count == len(expected)
    assert timesteps.asnumpy().tolist() == expected
    assert scheduler.begin_index == steps - len(expected)
    image, noise = randn((2, 4, 4, 4), generator(0)), randn((2, 4, 4, 4), generator(1))
    sample = scheduler.add_noise(image, noise, timesteps[:1].tile((2,)))
    for place, timestep in enumerate(timesteps):
        assert host_values(timestep).tolist() == [expected[place]]
        sample = scheduler.step(noise, timestep, sample, generator=generator(2), return_dict=False)[0]
    assert scheduler.step_index == steps
    last = scheduler.add_noise(image, noise, ms.Tensor([0]))
    if kind is TCDScheduler:
        scheduler.set_timesteps(steps)
        sample = scheduler.add_noise(image, noise, timesteps[0])
        for timestep in timesteps:
            sample = scheduler.step(noise, timestep, sample, eta=0)[0]
        assert abs((sample - last).asnumpy()).max() < 1e-4  # the true noise gives the image back


def test_pipelines_detect_which_step_accepts_eta():
    assert "eta" in inspect.signature(TCDScheduler().step).parameters
    assert "eta" not in inspect.signature(LCMScheduler().step).parameters


@EVERY
def test_pipelines_detect_that_a_step_accepts_a_generator(kind):
    assert "generator" in inspect.signature(kind().step).parameters
