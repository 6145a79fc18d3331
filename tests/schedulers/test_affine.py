import mindspore as ms
import numpy as np
import pytest
from kinds import EVERY
from mindspore import nn, ops

from mindone_tcd.random import generator, randn, standard_normal
from mindone_tcd.schedulers import LCMScheduler, TCDScheduler, affine_step
from mindone_tcd.schedulers.affine import dynamic_threshold

SHAPE = (2, 4, 8, 8)
STEPS = 4


class SmallModel(nn.Cell):
    """A network that the compiler treats like a UNet: convolutions, a skip connection, a timestep."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3)
        self.last = nn.Conv2d(8, 4, 3)

    def construct(self, sample, timestep):
        hidden = ops.tanh(self.first(sample) + 0.001 * timestep)
        return self.last(hidden) + 0.1 * sample


@pytest.fixture
def noises():
    rng = generator(1)
    return [standard_normal(SHAPE, rng) for _ in range(STEPS - 1)]


@EVERY
def test_whole_loop_compiles_with_the_model(kind, noises):
    model, scheduler, start = SmallModel(), kind(), randn(SHAPE, generator(0))
    scheduler.set_timesteps(STEPS)
    timesteps, table = scheduler.timesteps_list, scheduler.coefficients()

    @ms.jit
    def compiled(sample, first, second, third):
        noise = (first, second, third, None)
        for i in range(STEPS):
            sample = affine_step(sample, model(sample, timesteps[i]), noise[i], table[i])
        return sample

    together = compiled(start, *[ms.Tensor(noise, ms.float32) for noise in noises])
    sample = start
    for timestep, noise in zip(scheduler.timesteps, [*noises, None], strict=True):
        sample = scheduler.step(model(sample, timestep), timestep, sample, noise=noise)[0]
    np.testing.assert_allclose(together.asnumpy(), sample.asnumpy(), rtol=1e-4, atol=1e-4)


def test_one_compiled_step_serves_every_eta(noises):
    model, scheduler, start = SmallModel(), TCDScheduler(), randn(SHAPE, generator(0))
    scheduler.set_timesteps(STEPS)
    noise = ms.Tensor(noises[0], ms.float32)

    @ms.jit
    def compiled(sample, timestep, noise, row):
        return affine_step(sample, model(sample, timestep), noise, (row[0], row[1], row[2]))

    for eta in (0.3, 1.0):
        rows = ms.Tensor(scheduler.coefficients(eta), ms.float32)
        for place in (0, 2):
            timestep = scheduler.timesteps[place]
            expected = scheduler.step(model(start, timestep), timestep, start, eta=eta, noise=noises[0])[0]
            ours = compiled(start, timestep, noise, rows[place])
            np.testing.assert_allclose(ours.asnumpy(), expected.asnumpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "options"), [(LCMScheduler, {}), (TCDScheduler, {}), (TCDScheduler, {"eta": 0.0})])
def test_step_refuses_compilation_that_would_make_its_noise_constant(kind, options):
    scheduler, start = kind(), randn(SHAPE, generator(0))
    scheduler.set_timesteps(STEPS)
    scheduler.step(start, 999, start, **options)

    @ms.jit
    def compiled(sample):
        return scheduler.step(sample, 999, sample, **options)[0]

    with pytest.raises((TypeError, RuntimeError, ValueError)):
        compiled(start).asnumpy()


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16, ms.float32, ms.float64])
def test_the_dtype_of_the_sample_is_preserved(dtype, noises):
    sample, output, noise = (randn(SHAPE, generator(seed), dtype) for seed in range(3))
    exact = affine_step(*(part.astype(ms.float64) for part in (sample, output, noise)), (14.0, -13.9, 0.5)).asnumpy()
    stepped = affine_step(sample, output, noise, (14.0, -13.9, 0.5))
    assert stepped.dtype == dtype
    accuracy = {ms.float16: 1e-3, ms.bfloat16: 1e-2, ms.float32: 1e-5, ms.float64: 1e-14}[dtype]
    np.testing.assert_allclose(stepped.astype(ms.float64).asnumpy(), exact, rtol=accuracy, atol=accuracy)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.8, 0.995, 1.0])
@pytest.mark.parametrize("largest", [0.5, 1.0, 1.7, 100.0])
def test_dynamic_threshold_equals_numpys_quantile(ratio, largest):
    x0 = standard_normal((3, 4, 5, 5), generator(0)) * 3
    s = np.quantile(np.abs(x0.reshape(3, -1)), ratio, axis=1).clip(1, None).clip(None, largest).reshape(3, 1, 1, 1)
    ours = dynamic_threshold(ms.Tensor(x0, ms.float32), ratio, largest).asnumpy()
    np.testing.assert_allclose(ours, np.clip(x0, -s, s) / s, rtol=1e-5, atol=1e-6)
