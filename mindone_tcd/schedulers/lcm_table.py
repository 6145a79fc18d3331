"""The table of latent consistency models: arXiv 2310.04378, algorithm 3. It needs only NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .coefficients import StepCoefficients, rows
from .noise_schedule import NoiseSchedule

SIGMA_DATA = 0.5


def boundary_scalings(t: np.ndarray, timestep_scaling: float) -> tuple[np.ndarray, np.ndarray]:
    """Return c_skip and c_out of the consistency function f(x, t) = c_skip(t)·x + c_out(t)·x0 (paper: the appendix).

    c_skip(0) = 1 and c_out(0) = 0, so that f(x, 0) = x.

    Args:
        t: integer array of timesteps.
        timestep_scaling: the factor k by which t is multiplied.

    Returns:
        Two float64 arrays of the shape of `t`.
    """
    scaled = t * float(timestep_scaling)
    return SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2), scaled / np.sqrt(scaled**2 + SIGMA_DATA**2)


def lcm_coefficients(
    schedule: NoiseSchedule, timesteps: Sequence[int], timestep_scaling: float
) -> list[StepCoefficients]:
    """Return the table of LCM (arXiv 2310.04378, equation 8 and algorithm 3). Pure NumPy, float64.

    The consistency function estimates the clean sample x̂. Fresh noise z then takes it to the next timestep p. With
    α_p = √ᾱ_p and σ_p = √(1-ᾱ_p):

        x̂   = c_skip(t) · x_t + c_out(t) · x0(x_t, m)                     denoised = a·x + b·m
        x_p = α_p · x̂ + σ_p · z                                          x_next   = r·denoised + c·z

    Args:
        schedule: ᾱ and the prediction type, which give x0.
        timesteps: n of them, descending.
        timestep_scaling: see `boundary_scalings`.

    Returns:
        n rows. The last step returns x̂ and draws no noise.
    """
    t = np.asarray(timesteps)
    c_skip, c_out = boundary_scalings(t, timestep_scaling)
    with np.errstate(divide="ignore", invalid="ignore"):
        x0_x, x0_m = schedule.x0(t)
        a = c_out * x0_x + c_skip
        b = c_out * x0_m
    alpha_p, sigma_p = schedule.signal_and_sigma(t[1:])
    return rows(a, b, r=alpha_p, c=sigma_p, noisy=len(t) - 1)
