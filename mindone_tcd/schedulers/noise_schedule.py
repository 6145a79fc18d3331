"""The noise schedule: how much signal, ᾱ, and how much noise, 1 - ᾱ, a sample holds at each training timestep.

    x_t = √ᾱ_t · x_0 + √(1-ᾱ_t) · ε,        ᾱ_t = Π_{i≤t} (1 - β_i)

Everything is NumPy on the host. The betas are float32 because checkpoints were trained on float32 betas, and ᾱ is
rounded to float32 for the same reason: near t = 0 the rounding shows in 1 - ᾱ. What is computed from them is float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .timesteps import fraction

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def make_betas(
    num_train_timesteps: int,
    beta_start: float,
    beta_end: float,
    beta_schedule: str,
    trained_betas: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """The variance β added at each training timestep.

    Args:
        num_train_timesteps: T.
        beta_start, beta_end: the first and the last beta of the two linear schedules, within [0, 1].
        beta_schedule: `linear` in β; `scaled_linear`, linear in √β (Stable Diffusion); or `squaredcos_cap_v2`,
            Nichol and Dhariwal's cosine ᾱ (arXiv 2102.09672, equation 17) with β ≤ 0.999.
        trained_betas: T betas that replace all of the above.

    Returns:
        float32 array of shape (T,).

    Raises:
        ValueError: for an unknown schedule, betas outside [0, 1] or a wrong number of them.
    """
    if trained_betas is not None:
        betas = np.asarray(trained_betas, dtype=np.float32)
        if betas.shape != (num_train_timesteps,):
            raise ValueError(
                f"trained_betas has the shape {betas.shape}; expected one beta for each of the "
                f"num_train_timesteps={num_train_timesteps} timesteps"
            )
    elif beta_schedule in ("linear", "scaled_linear"):
        ends = fraction(beta_start, "beta_start", zero=True), fraction(beta_end, "beta_end", zero=True)
        if beta_schedule == "linear":
            betas = _linspace(*ends, num_train_timesteps)
        else:
            betas = _linspace(*(end**0.5 for end in ends), num_train_timesteps) ** 2
    elif beta_schedule == "squaredcos_cap_v2":
        time = np.arange(num_train_timesteps + 1) / num_train_timesteps
        alphas_cumprod = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - alphas_cumprod[1:] / alphas_cumprod[:-1], 0.999).astype(np.float32)
    else:
        raise ValueError(f"beta_schedule is {beta_schedule!r}; expected one of {', '.join(BETA_SCHEDULES)}")
    if not ((betas >= 0) & (betas <= 1)).all():
        raise ValueError(f"betas run from {betas.min()} to {betas.max()}; expected values within [0, 1]")
    return betas


def cumulative_alphas(betas: np.ndarray) -> np.ndarray:
    """ᾱ, float32 of shape (T,): multiplied up in float64, then rounded once."""
    return np.cumprod(np.float32(1) - betas, dtype=np.float64).astype(np.float32)


def rescale_zero_terminal_snr(betas: np.ndarray) -> np.ndarray:
    """Betas whose last ᾱ is exactly 0, so that the last timestep is pure noise (arXiv 2305.08891, algorithm 1).

    √ᾱ is shifted so that its last entry becomes 0 and stretched so that its first keeps its value.

    Args:
        betas: float32 array of shape (T,).

    Returns:
        float32 array of shape (T,).
    """
    root = np.sqrt(cumulative_alphas(betas))
    first, last = root[0], root[-1]
    root = (root - last) * (first / (first - last))
    alphas_cumprod = root**2
    alphas = np.concatenate([alphas_cumprod[:1], alphas_cumprod[1:] / alphas_cumprod[:-1]])
    return np.float32(1) - alphas


def _linspace(start: float, end: float, count: int) -> np.ndarray:
    """Even spacing in float32 arithmetic, each half counted from its own end, which keeps both ends exact."""
    start, end = np.float32(start), np.float32(end)
    place = np.arange(count, dtype=np.float32)
    stride = (end - start) / np.float32(max(count - 1, 1))
    return np.where(np.arange(count) < count // 2, start + stride * place, end - stride * (count - 1 - place)).astype(
        np.float32
    )
