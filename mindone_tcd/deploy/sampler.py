"""The samplers TCD and LCM on the host, in NumPy: timesteps, steps, and noise for an image to start from.

The latents of an image are small (16 KB at 128x128, 64 KB at 512x512), so a step costs less than its copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from ..random import Generators, standard_normal
from ..schedulers.coefficients import StepCoefficients
from ..schedulers.lcm_table import lcm_coefficients
from ..schedulers.noise_schedule import NoiseSchedule, make_betas
from ..schedulers.tcd_table import tcd_coefficients
from ..schedulers.timesteps import check_count, origin_grid, pick

METHODS = ("tcd", "lcm")
"""The methods whose steps run without their scheduler."""

_DEFAULTS = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "trained_betas": None,
    "original_inference_steps": 50,
    "prediction_type": "epsilon",
    "rescale_betas_zero_snr": False,
    "timestep_scaling": 10.0,
}


class Sampler:
    """A sampler with the configuration of a scheduler.

    Args:
        method: ``tcd`` or ``lcm``.
        config: the configuration of the scheduler; missing fields have the scheduler's defaults.

    Attributes:
        observer: called after each step with its index, from 0, and the denoised latents.

    Raises:
        UsageError: if the method or a field of the configuration is invalid.
    """

    def __init__(self, method: str, config: Mapping[str, Any]) -> None:
        if method not in METHODS:
            raise UsageError(f"the exported method is {method!r}; expected one of: {', '.join(METHODS)}")
        self.method = method
        known = {name: config.get(name, default) for name, default in _DEFAULTS.items()}
        self._count, self._original = int(known["num_train_timesteps"]), int(known["original_inference_steps"])
        if not 0 < self._original <= self._count <= 100_000:
            raise UsageError(
                f"the scheduler has original_inference_steps={self._original} and num_train_timesteps={self._count}; "
                "expected 1 or more, and no more than the second: export the pipeline again"
            )
        self._scaling = float(known["timestep_scaling"])
        names = ("beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")
        betas = make_betas(self._count, *(known[name] for name in names))
        self._schedule = NoiseSchedule.from_betas(betas, known["prediction_type"])
        self.observer: Callable[[int, np.ndarray], object] | None = None

    def timesteps(self, steps: int, strength: float = 1.0) -> np.ndarray:
        """Return the timesteps of a run, int64, descending.

        Args:
            steps: the number of steps, 1 or more.
            strength: the share of the grid that is used, above 0 and at most 1.

        Raises:
            ValueError: if the grid has fewer timesteps.
        """
        grid = origin_grid(self._count, self._original)[: int(self._original * strength)]
        check_count(steps, grid, self._original, strength, self._count)
        return pick(grid, steps)

    def table(self, timesteps: np.ndarray, eta: float | None) -> list[StepCoefficients]:
        """Return one row for each of the timesteps."""
        if self.method == "tcd":
            return tcd_coefficients(self._schedule, timesteps.tolist(), 0.0 if eta is None else eta)
        return lcm_coefficients(self._schedule, timesteps.tolist(), self._scaling)

    def noised(self, latents: np.ndarray, noise: np.ndarray, timestep: int) -> np.ndarray:
        """Return √ᾱ_t · latents + √(1-ᾱ_t) · noise, computed in float32, in the dtype of the latents."""
        signal, sigma = (part.astype(np.float32) for part in self._schedule.signal_and_sigma(np.array(timestep)))
        return (signal * latents.astype(np.float32) + sigma * noise.astype(np.float32)).astype(latents.dtype)

    def run(
        self,
        latents: np.ndarray,
        timesteps: np.ndarray,
        first: int,
        eta: float | None,
        generators: Generators,
        predict: Callable[[np.ndarray, int], np.ndarray],
    ) -> Iterator[np.ndarray]:
        """Yield the latents after each step, in their dtype.

        Args:
            latents: (N, C, H, W).
            timesteps: of the whole run.
            first: the index of the first step.
            eta: of TCD; None for LCM.
            generators: one for each image.
            predict: returns the model output for latents and a timestep.

        Raises:
            UsageError: if a step is not finite, as for a zero-terminal-SNR schedule of a model that predicts noise.
        """
        for index, (timestep, row) in enumerate(zip(timesteps, self.table(timesteps, eta), strict=True)):
            if index < first:
                continue
            if not np.isfinite(row.a + row.b):
                raise UsageError(f"the sampler has no finite step at timestep {timestep}; use another number of steps")
            output = predict(latents, int(timestep)).astype(np.float32)
            denoised = np.float32(row.a) * latents.astype(np.float32) + np.float32(row.b) * output
            following = denoised
            if row.c is not None:
                noise = (standard_normal(latents.shape, generators) * row.c).astype(np.float32)
                following = np.float32(row.r) * denoised + noise
            following = following.astype(latents.dtype)
            if self.observer is not None:
                self.observer(index - first, denoised.astype(latents.dtype))
            latents = following
            yield latents
