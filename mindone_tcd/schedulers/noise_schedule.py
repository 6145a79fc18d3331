"""The noise schedule: the amounts of signal and noise in a sample at each training timestep.

    x_t = √ᾱ_t · x_0 + √(1-ᾱ_t) · ε,        ᾱ_t = Π_{i≤t} (1 - β_i)

This module needs NumPy only. The betas are float32, because checkpoints were trained on float32 betas. ᾱ is rounded to
float32 for the same reason: near t = 0 the rounding is visible in 1 - ᾱ. All values computed from ᾱ are float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arguments import fraction

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """ᾱ of each training timestep, and what the model predicts. All methods are pure.

    Attributes:
        alphas_cumprod: ᾱ, a float64 array of shape (T,).
        prediction_type: `epsilon`, `v_prediction` or `sample`.

    Raises:
        ValueError: for an unknown `prediction_type`.
    """

    alphas_cumprod: np.ndarray
    prediction_type: str = "epsilon"

    def __post_init__(self) -> None:
        if self.prediction_type not in PREDICTION_TYPES:
            raise ValueError(
                f"prediction_type is {self.prediction_type!r}; expected one of {', '.join(PREDICTION_TYPES)}"
            )

    @classmethod
    def from_betas(cls, betas: np.ndarray, prediction_type: str) -> NoiseSchedule:
        """Make the schedule of the betas that `make_betas` returns, a float32 array of shape (T,)."""
        return cls(cumulative_alphas(betas).astype(np.float64), prediction_type)

    def signal_and_sigma(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """√ᾱ_t and √(1-ᾱ_t) for an integer array of timesteps, as float64 arrays of its shape."""
        alphas_cumprod = self.alphas_cumprod[t]
        return np.sqrt(alphas_cumprod), np.sqrt(1 - alphas_cumprod)

    def x0(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p, q) such that x0 = p·x + q·m, for the sample x and the model output m at each timestep of `t`."""
        signal, sigma = self.signal_and_sigma(t)
        if self.prediction_type == "epsilon":
            return 1 / signal, -sigma / signal
        if self.prediction_type == "v_prediction":
            return signal, -sigma
        return np.zeros_like(signal), np.ones_like(signal)

    def epsilon(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p, q) such that ε = p·x + q·m, for the sample x and the model output m at each timestep of `t`."""
        signal, sigma = self.signal_and_sigma(t)
        if self.prediction_type == "epsilon":
            return np.zeros_like(signal), np.ones_like(signal)
        if self.prediction_type == "v_prediction":
            return sigma, signal
        return 1 / sigma, -signal / sigma


def make_betas(
    num_train_timesteps: int,
    beta_start: float,
    beta_end: float,
    beta_schedule: str,
    trained_betas: Sequence[float] | np.ndarray | None = None,
    rescale_betas_zero_snr: bool = False,
) -> np.ndarray:
    """Return β, the variance that each training timestep adds.

    Args:
        num_train_timesteps: T.
        beta_start: the first β of the two linear schedules, within [0, 1].
        beta_end: the last β of the two linear schedules, within [0, 1].
        beta_schedule: `linear` is linear in β. `scaled_linear` is linear in √β (Stable Diffusion uses this).
            `squaredcos_cap_v2` is the cosine ᾱ of Nichol and Dhariwal (arXiv 2102.09672, equation 17) with β ≤ 0.999.
        trained_betas: T values of β. They replace all of the arguments above.
        rescale_betas_zero_snr: whether to apply `rescale_zero_terminal_snr` to the result.

    Returns:
        A float32 array of shape (T,).

    Raises:
        ValueError: for an unknown schedule, betas outside [0, 1], or a wrong number of betas.
    """
    betas: np.ndarray
    if trained_betas is not None:
        betas = np.asarray(trained_betas, dtype=np.float32)
        if betas.shape != (num_train_timesteps,):
            raise ValueError(
                f"trained_betas has the shape {betas.shape}; expected one beta for each of the "
                f"num_train_timesteps={num_train_timesteps} timesteps"
            )
    elif beta_schedule in ("linear", "scaled_linear"):
        first, last = fraction(beta_start, "beta_start", zero=True), fraction(beta_end, "beta_end", zero=True)
        if beta_schedule == "linear":
            betas = _linspace(first, last, num_train_timesteps)
        else:
            betas = _linspace(first**0.5, last**0.5, num_train_timesteps) ** 2
    elif beta_schedule == "squaredcos_cap_v2":
        time = np.arange(num_train_timesteps + 1) / num_train_timesteps
        alphas_cumprod = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - alphas_cumprod[1:] / alphas_cumprod[:-1], 0.999).astype(np.float32)
    else:
        raise ValueError(f"beta_schedule is {beta_schedule!r}; expected one of {', '.join(BETA_SCHEDULES)}")
    if not ((betas >= 0) & (betas <= 1)).all():
        raise ValueError(f"betas run from {betas.min()} to {betas.max()}; expected values within [0, 1]")
    return rescale_zero_terminal_snr(betas) if rescale_betas_zero_snr else betas


def cumulative_alphas(betas: np.ndarray) -> np.ndarray:
    """Return ᾱ, a float32 array of shape (T,). The product is computed in float64 and rounded once."""
    return np.cumprod(np.float32(1) - betas, dtype=np.float64).astype(np.float32)


def rescale_zero_terminal_snr(betas: np.ndarray) -> np.ndarray:
    """Return betas whose last ᾱ is exactly 0, so that the last timestep is pure noise.

    This is algorithm 1 of arXiv 2305.08891: it shifts √ᾱ so that the last entry becomes 0, and scales it so that the
    first entry keeps its value.

    Args:
        betas: a float32 array of shape (T,).

    Returns:
        A float32 array of shape (T,).
    """
    root = np.sqrt(cumulative_alphas(betas))
    first, last = root[0], root[-1]
    root = (root - last) * (first / (first - last))
    alphas_cumprod = root**2
    alphas = np.concatenate([alphas_cumprod[:1], alphas_cumprod[1:] / alphas_cumprod[:-1]])
    return np.float32(1) - alphas


def _linspace(start: float, end: float, count: int) -> np.ndarray:
    """Evenly spaced values in float32 arithmetic. Each half counts from its own end, so that both ends are exact."""
    first, last = np.float32(start), np.float32(end)
    place = np.arange(count, dtype=np.float32)
    stride = (last - first) / np.float32(max(count - 1, 1))
    return np.where(np.arange(count) < count // 2, first + stride * place, last - stride * (count - 1 - place)).astype(
        np.float32
    )
