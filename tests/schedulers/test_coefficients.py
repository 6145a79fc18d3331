"""The tables as pure functions of a noise schedule, without a scheduler."""

import numpy as np
import pytest

from mindone_tcd.schedulers.coefficients import StepCoefficients, rows
from mindone_tcd.schedulers.lcm_table import boundary_scalings, lcm_coefficients
from mindone_tcd.schedulers.noise_schedule import PREDICTION_TYPES, NoiseSchedule
from mindone_tcd.schedulers.tcd_table import tcd_coefficients

ALPHAS = np.linspace(0.99, 0.01, 100)
T = np.array([99, 50, 3])


def output_of(kind, t, x0, epsilon):
    """The sample at timestep t, and the output of a perfect model for it."""
    signal, sigma = np.sqrt(ALPHAS[t]), np.sqrt(1 - ALPHAS[t])
    m = {"epsilon": epsilon, "v_prediction": signal * epsilon - sigma * x0, "sample": x0}[kind]
    return signal * x0 + sigma * epsilon, m


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
def test_a_perfect_models_x0_and_epsilon_are_recovered(kind):
    x0, epsilon = np.random.default_rng(0).standard_normal((2, 3))
    x, m = output_of(kind, T, x0, epsilon)
    schedule = NoiseSchedule(ALPHAS, kind)
    for (p, q), expected in ((schedule.x0(T), x0), (schedule.epsilon(T), epsilon)):
        np.testing.assert_allclose(p * x + q * m, expected, rtol=1e-12)


def test_signal_and_sigma():
    signal, sigma = NoiseSchedule(ALPHAS).signal_and_sigma(T)
    np.testing.assert_array_equal(signal, np.sqrt(ALPHAS[T]))
    np.testing.assert_allclose(signal**2 + sigma**2, 1, rtol=1e-15)


def test_a_schedule_of_betas_is_float64_of_float32_values():
    betas = np.full(10, 0.1, np.float32)
    alphas_cumprod = NoiseSchedule.from_betas(betas, "sample").alphas_cumprod
    assert alphas_cumprod.dtype == np.float64
    np.testing.assert_array_equal(alphas_cumprod, alphas_cumprod.astype(np.float32))
    np.testing.assert_allclose(alphas_cumprod, 0.9 ** np.arange(1, 11), rtol=1e-6)


def test_an_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="prediction_type is 'flow'; expected one of epsilon, v_prediction, sample"):
        NoiseSchedule(ALPHAS, "flow")


def test_affine_form_of_a_row():
    x, m, z = 1.7, -0.4, 0.3
    row = StepCoefficients(a=2.0, b=-1.0, r=0.5, c=0.25)
    a, b, c = row.affine
    assert a * x + b * m + c * z == pytest.approx(row.r * (row.a * x + row.b * m) + row.c * z)
    assert StepCoefficients(a=2.0, b=-1.0).affine == (2.0, -1.0, 0.0)


def test_all_rows_except_the_last_add_noise():
    table = rows(*np.arange(12.0).reshape(4, 3), noisy=2)
    assert table == [StepCoefficients(0, 3, 6, 9), StepCoefficients(1, 4, 7, 10), StepCoefficients(2, 5)]


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
def test_tcd_with_a_perfect_model_reaches_s(kind):
    x0, epsilon = 0.6, -1.1
    for t, p, row in zip(T, [50, 3, 0], tcd_coefficients(NoiseSchedule(ALPHAS, kind), T, eta=0.5), strict=True):
        x, m = output_of(kind, t, x0, epsilon)
        x_s = output_of(kind, p // 2, x0, epsilon)[0]
        assert row.a * x + row.b * m == pytest.approx(x_s, rel=1e-12)
        # Noise reduces the signal of s to the signal of p, and the variance of pure noise stays 1.
        if row.c is not None:
            assert row.r * np.sqrt(ALPHAS[p // 2]) == pytest.approx(np.sqrt(ALPHAS[p]), rel=1e-12)
            assert row.r**2 * (1 - ALPHAS[p // 2]) + row.c**2 == pytest.approx(1 - ALPHAS[p], rel=1e-12)


@pytest.mark.parametrize(("eta", "noisy"), [(0.0, 0), (1e-3, 2), (1.0, 2)])
def test_eta_determines_the_noise_of_tcd(eta, noisy):
    table = tcd_coefficients(NoiseSchedule(ALPHAS), T, eta)
    assert [row.c is not None for row in table] == [True] * noisy + [False] * (3 - noisy)


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
def test_lcm_with_a_perfect_model_returns_the_clean_sample(kind):
    x0, epsilon = 0.6, -1.1
    table = lcm_coefficients(NoiseSchedule(ALPHAS, kind), T, timestep_scaling=1e9)  # c_skip is 0, c_out is 1
    for t, p, row in zip(T, [50, 3, None], table, strict=True):
        x, m = output_of(kind, t, x0, epsilon)
        assert row.a * x + row.b * m == pytest.approx(x0, rel=1e-12)
        expected = (1.0, None) if p is None else (np.sqrt(ALPHAS[p]), np.sqrt(1 - ALPHAS[p]))
        assert (row.r, row.c) == expected


def test_boundary_scalings():
    c_skip, c_out = boundary_scalings(np.array([0, 1, 1000]), 10.0)
    np.testing.assert_allclose(c_skip, [1, 0.25 / 100.25, 0], atol=1e-8)
    np.testing.assert_allclose(c_out, [0, 10 / np.sqrt(100.25), 1], atol=1e-8)


@pytest.mark.parametrize(("table", "option"), [(tcd_coefficients, 0.3), (lcm_coefficients, 10)])
def test_no_signal_gives_rows_that_are_not_finite_and_no_warning(table, option):
    with np.errstate(all="raise"):
        first, last = table(NoiseSchedule(np.array([0.9, 0.0]), "epsilon"), [1, 0], option)
    assert not np.isfinite(first.a)
    assert np.isfinite([last.a, last.b]).all()
