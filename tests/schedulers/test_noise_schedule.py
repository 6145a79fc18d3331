import numpy as np
import pytest

from mindone_tcd.schedulers import TCDScheduler
from mindone_tcd.schedulers.noise_schedule import cumulative_alphas, make_betas, rescale_zero_terminal_snr


@pytest.mark.parametrize(
    ("schedule", "closed_form"),
    [
        ("linear", lambda t: 0.00085 + (0.012 - 0.00085) * t / 999),
        ("scaled_linear", lambda t: (0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * t / 999) ** 2),
    ],
)
def test_linear_schedules(schedule, closed_form):
    betas = make_betas(1000, 0.00085, 0.012, schedule)
    assert betas.dtype == np.float32
    np.testing.assert_allclose(betas, closed_form(np.arange(1000)), rtol=5e-7)
    np.testing.assert_allclose(cumulative_alphas(betas), np.cumprod(1 - closed_form(np.arange(1000))), rtol=2e-6)


def test_cosine_schedule():
    def signal(t):
        return np.cos((t / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2

    betas = make_betas(1000, 0, 0, "squaredcos_cap_v2")
    assert betas.max() == np.float32(0.999)
    np.testing.assert_allclose(cumulative_alphas(betas)[:-1], (signal(np.arange(1, 1000)) / signal(0)), atol=1e-6)


def test_zero_terminal_snr():
    betas = make_betas(1000, 0.00085, 0.012, "scaled_linear")
    plain, rescaled = (np.sqrt(cumulative_alphas(b).astype(float)) for b in (betas, rescale_zero_terminal_snr(betas)))
    assert rescaled[-1] == 0
    assert rescaled[0] == pytest.approx(plain[0], rel=1e-6)
    np.testing.assert_allclose(rescaled, (plain - plain[-1]) * plain[0] / (plain[0] - plain[-1]), atol=1e-6)


def test_single_timestep():
    assert make_betas(1, 0.1, 0.2, "linear").shape == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta_schedule": "sigmoid"}, "expected one of linear, scaled_linear, squaredcos_cap_v2"),
        ({"trained_betas": [0.1, 0.2]}, r"shape \(2,\); expected one beta for each of the num_train_timesteps=1000"),
        ({"beta_schedule": "linear", "beta_end": 1.5}, r"beta_end is 1\.5; expected a number within \[0, 1\]"),
        ({"beta_start": -1}, r"beta_start is -1; expected a number within \[0, 1\]"),
        ({"beta_start": "a"}, "beta_start is 'a'; expected a number"),
        ({"trained_betas": [1.5], "num_train_timesteps": 1}, "expected values within"),
        ({"num_train_timesteps": 0}, "num_train_timesteps is 0"),
        ({"num_train_timesteps": 10.5}, "num_train_timesteps is 10.5"),
        ({"prediction_type": "flow_prediction"}, "expected one of epsilon, v_prediction, sample"),
    ],
)
def test_bad_configurations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TCDScheduler(**options)
