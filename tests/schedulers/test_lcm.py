import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.random import generator, randn, standard_normal
from mindone_tcd.schedulers import LCMScheduler

SHAPE = (2, 4, 4, 4)


@pytest.fixture
def sample():
    return randn(SHAPE, generator(1))


@pytest.fixture
def output():
    return randn(SHAPE, generator(2))


@pytest.mark.parametrize("scaling", [10.0, 0.003])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_table_equals_the_papers_equations(kind, scaling):
    scheduler = LCMScheduler(prediction_type=kind, timestep_scaling=scaling)
    scheduler.set_timesteps(8)
    alphas = scheduler.alphas_cumprod.asnumpy().astype(np.float64)
    rng, grid = np.random.default_rng(0), scheduler.timesteps_list
    x, m, z = rng.standard_normal((3, 100))
    for t, p, (a, b, c) in zip(grid, [*grid[1:], None], scheduler.coefficients(), strict=True):
        signal, sigma = np.sqrt(alphas[t]), np.sqrt(1 - alphas[t])
        x0 = {"epsilon": (x - sigma * m) / signal, "v_prediction": signal * x - sigma * m, "sample": m}[kind]
        c_skip = 0.5**2 / ((scaling * t) ** 2 + 0.5**2)
        c_out = scaling * t / np.sqrt((scaling * t) ** 2 + 0.5**2)
        expected = c_skip * x + c_out * x0
        if p is not None:
            expected = np.sqrt(alphas[p]) * expected + np.sqrt(1 - alphas[p]) * z
        np.testing.assert_allclose(a * x + b * m + c * z, expected, rtol=1e-10, atol=1e-10)


def test_boundary_condition_holds():
    """At timestep 0 the consistency function is the identity."""
    scheduler = LCMScheduler()
    scheduler.set_timesteps(timesteps=[999, 0])
    assert scheduler.coefficients()[-1] == (1.0, 0.0, 0.0)


def test_second_result_is_the_denoised_sample(sample, output):
    scheduler = LCMScheduler()
    scheduler.set_timesteps(2)
    noise = standard_normal(SHAPE, generator(0))
    result = scheduler.step(output, 999, sample, noise=noise, return_dict=True)
    alphas = scheduler.alphas_cumprod.asnumpy()
    again = np.sqrt(alphas[499]) * result.denoised.asnumpy() + np.sqrt(1 - alphas[499]) * noise
    np.testing.assert_allclose(result.prev_sample.asnumpy(), again, rtol=1e-5, atol=1e-5)
    last = scheduler.step(output, 499, result.prev_sample, return_dict=True)
    assert np.array_equal(last.prev_sample.asnumpy(), last.denoised.asnumpy())


def test_last_custom_step_adds_no_noise(sample, output):
    scheduler = LCMScheduler()
    scheduler.set_timesteps(timesteps=[999, 759, 499, 259], strength=0.5)
    scheduler.step(output, 499, sample)
    prev_sample, denoised = scheduler.step(output, 259, sample)
    assert np.array_equal(prev_sample.asnumpy(), denoised.asnumpy())


def test_clipping_bounds_the_prediction(sample, output):
    scheduler = LCMScheduler(clip_sample=True, clip_sample_range=0.25)
    scheduler.set_timesteps(1)
    assert np.abs(scheduler.step(output, 999, sample * 9)[0].asnumpy()).max() == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16])
@pytest.mark.parametrize("option", ["clip_sample", "thresholding"])
def test_bounded_steps_work_in_half_precision(sample, output, option, dtype):
    scheduler = LCMScheduler(**{option: True})
    scheduler.set_timesteps(2)
    exact = scheduler.step(output, 999, sample, generator=generator(0))[0].asnumpy()
    half = scheduler.step(output.astype(dtype), 999, sample.astype(dtype), generator=generator(0))[0]
    assert half.dtype == dtype
    np.testing.assert_allclose(half.astype(ms.float32).asnumpy(), exact, atol=0.1)


@pytest.mark.parametrize("option", ["clip_sample", "thresholding"])
def test_bounded_steps_have_no_coefficients(option):
    scheduler = LCMScheduler(**{option: True})
    scheduler.set_timesteps(2)
    with pytest.raises(ValueError, match="not affine"):
        scheduler.coefficients()


def test_epsilon_without_signal_is_refused(sample, output):
    scheduler = LCMScheduler(rescale_betas_zero_snr=True)
    scheduler.set_timesteps(2)
    with pytest.raises(ValueError, match=r"no finite step at timestep 999.*v_prediction"):
        scheduler.step(output, scheduler.timesteps[0], sample)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timestep_scaling": None}, "timestep_scaling is None; expected a number above 0"),
        ({"timestep_scaling": float("nan")}, "timestep_scaling is nan; expected a number above 0"),
        ({"clip_sample": True, "clip_sample_range": -1}, "clip_sample_range is -1; expected a number above 0"),
        ({"clip_sample": True, "clip_sample_range": "x"}, "clip_sample_range is 'x'"),
        ({"thresholding": True, "sample_max_value": 0}, "sample_max_value is 0; expected a number above 0"),
        (
            {"thresholding": True, "dynamic_thresholding_ratio": 2},
            r"thresholding_ratio is 2; .*within \[0, 1\]",
        ),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LCMScheduler(**options)


def test_options_without_effect_are_not_checked():
    LCMScheduler(clip_sample_range=-1, sample_max_value=0, dynamic_thresholding_ratio=2)
