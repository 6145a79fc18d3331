import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.random import generator, randn
from mindone_tcd.schedulers import LCMScheduler, TCDScheduler
from mindone_tcd.schedulers.timesteps import Timesteps

SHAPE = (3, 4, 2, 2)
SCHEDULER = TCDScheduler()
ALPHAS = SCHEDULER.alphas_cumprod.asnumpy().astype(np.float64)
CLEAN, NOISE = randn(SHAPE, generator(0)), randn(SHAPE, generator(1))


def expected(timesteps, clean=CLEAN, noise=NOISE):
    alphas = ALPHAS[np.broadcast_to(np.asarray(timesteps).reshape(-1), (3,))].reshape(3, 1, 1, 1)
    return np.sqrt(alphas) * clean.asnumpy() + np.sqrt(1 - alphas) * noise.asnumpy()


@pytest.mark.parametrize(
    ("timesteps", "numbers"),
    [
        (499, 499),
        (np.int64(499), 499),
        ([499], 499),
        ([0, 499, 999], [0, 499, 999]),
        (np.array([0, 499, 999]), [0, 499, 999]),
        (ms.Tensor(499), 499),
        (ms.Tensor([499]), 499),
        (ms.Tensor([0, 499, 999], ms.int32), [0, 499, 999]),
        (Timesteps([999, 499, 0]), [999, 499, 0]),
        (Timesteps([999, 499])[0], 999),
        (Timesteps([999, 499])[:1], 999),
        (Timesteps([999, 499])[:1].tile((3,)), 999),
    ],
)
def test_noise_is_added_for_any_shape_of_t(timesteps, numbers):
    noisy = SCHEDULER.add_noise(CLEAN, NOISE, timesteps)
    np.testing.assert_allclose(noisy.asnumpy(), expected(numbers), rtol=1e-6, atol=1e-6)
    velocity = SCHEDULER.get_velocity(CLEAN, NOISE, timesteps)
    np.testing.assert_allclose(velocity.asnumpy(), expected(numbers, NOISE, CLEAN * -1), rtol=1e-6, atol=1e-6)


def test_other_ranks():
    flat = SCHEDULER.add_noise(CLEAN.reshape((3, -1)), NOISE.reshape((3, -1)), [1, 2, 3])
    np.testing.assert_allclose(flat.asnumpy(), expected([1, 2, 3]).reshape(3, -1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    clean, noise = CLEAN.astype(dtype), NOISE.astype(dtype)
    noisy = SCHEDULER.add_noise(clean, noise, [1, 500, 998])
    assert noisy.dtype == dtype
    exact = SCHEDULER.add_noise(clean.astype(ms.float32), noise.astype(ms.float32), [1, 500, 998])
    assert np.array_equal(noisy.astype(ms.float32).asnumpy(), exact.astype(dtype).astype(ms.float32).asnumpy())


@pytest.mark.parametrize("timesteps", [[1, 2], ms.Tensor([1, 2])])
def test_wrong_number_of_timesteps_is_refused(timesteps):
    with pytest.raises(ValueError, match="2 timesteps for a batch of 3; expected 1 or 3"):
        SCHEDULER.add_noise(CLEAN, NOISE, timesteps)


@pytest.mark.parametrize("timesteps", [-1, 1000, [0, 1, 1000], 1.5])
def test_timesteps_out_of_range_are_refused(timesteps):
    with pytest.raises(ValueError, match="expected"):
        SCHEDULER.add_noise(CLEAN, NOISE, timesteps)


def test_the_forward_process_compiles():
    @ms.jit
    def compiled(clean, noise, timesteps):
        return SCHEDULER.add_noise(clean, noise, timesteps)

    ours = compiled(CLEAN, NOISE, ms.Tensor([3, 500, 900]))
    np.testing.assert_allclose(ours.asnumpy(), expected([3, 500, 900]), rtol=1e-6, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["TCDScheduler", "LCMScheduler"])
def test_equal_to_diffusers(kind):
    import diffusers
    import torch

    ours = {"TCDScheduler": TCDScheduler, "LCMScheduler": LCMScheduler}[kind]()
    theirs = getattr(diffusers, kind)()
    clean, noise = torch.from_numpy(CLEAN.asnumpy()), torch.from_numpy(NOISE.asnumpy())
    for timesteps in ([0, 1, 2], [499, 259, 999]):
        for method in ("add_noise", "get_velocity"):
            if hasattr(theirs, method):
                expected = getattr(theirs, method)(clean, noise, torch.tensor(timesteps)).numpy()
                result = getattr(ours, method)(CLEAN, NOISE, ms.Tensor(timesteps)).asnumpy()
                np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mix", [SCHEDULER.add_noise, SCHEDULER.get_velocity])
def test_noise_of_another_shape_is_refused(mix):
    for clean, noise in ((CLEAN[:1], NOISE), (CLEAN, NOISE[:1])):
        with pytest.raises(ValueError, match=r"noise has the shape \(., 4, 2, 2\), but the samples have \("):
            mix(clean, noise, 5)
