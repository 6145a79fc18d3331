"""The table of trajectory consistency distillation: arXiv 2402.19159, algorithm 4. It needs only NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .coefficients import StepCoefficients, rows
from .noise_schedule import NoiseSchedule


def tcd_coefficients(schedule: NoiseSchedule, timesteps: Sequence[int], eta: float) -> list[StepCoefficients]:
    """Return the table of TCD (arXiv 2402.19159, equations 9 and 31, algorithm 4). Pure NumPy, float64.

    The consistency function f(x_t, t, s) follows the trajectory from t down to s = ⌊(1-γ)·p⌋, below the next timestep
    p. Fresh noise z then takes the sample back up to p. With α_t = √ᾱ_t and σ_t = √(1-ᾱ_t):

        x_s = α_s · x0(x_t, m) + σ_s · ε(x_t, m)                          denoised = a·x + b·m
        x_p = α_p/α_s · x_s + √(1-α_p²/α_s²) · z                          x_next   = r·denoised + c·z

    Args:
        schedule: ᾱ and the prediction type, which give x0 and ε.
        timesteps: n of them, descending.
        eta: the paper's γ, in [0, 1]: 0 adds no noise, 1 goes down to s = 0 and renews all of it.

    Returns:
        n rows. The last step goes to p = s = 0 and draws no noise; with eta 0, no step does.
    """
    alphas_cumprod = schedule.alphas_cumprod
    t = np.asarray(timesteps)
    p = np.append(t[1:], 0)
    s = np.floor(np.float32(1 - eta) * p.astype(np.float32)).astype(np.int64)  # diffusers multiplies in float32
    with np.errstate(divide="ignore", invalid="ignore"):
        (x0_x, x0_m), (epsilon_x, epsilon_m) = schedule.x0(t), schedule.epsilon(t)
        alpha_s, sigma_s = schedule.signal_and_sigma(s)
        a = alpha_s * x0_x + sigma_s * epsilon_x
        b = alpha_s * x0_m + sigma_s * epsilon_m
        kept = alphas_cumprod[p] / alphas_cumprod[s]
    return rows(a, b, r=np.sqrt(kept), c=np.sqrt(1 - kept), noisy=len(t) - 1 if eta > 0 else 0)
