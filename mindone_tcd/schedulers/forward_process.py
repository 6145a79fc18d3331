"""The forward process: noise is added to pictures, for image-to-image and for training."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import ops

from .affine import blend, cast, working_dtype
from .timesteps import host_values, integer

AnyTimesteps = int | Sequence[int] | np.ndarray | ms.Tensor


class ForwardProcess:
    """√ᾱ_t and √(1-ᾱ_t) of any timesteps, looked up on the device where only the device knows them."""

    def _tabulate_mixture(self, alphas_cumprod: np.ndarray) -> None:
        self._alphas_cumprod = alphas_cumprod.astype(np.float64)
        self._signal = ms.Tensor(np.sqrt(self._alphas_cumprod).astype(np.float32))
        self._sigma = ms.Tensor(np.sqrt(1 - self._alphas_cumprod).astype(np.float32))

    def add_noise(self, original_samples: ms.Tensor, noise: ms.Tensor, timesteps: AnyTimesteps) -> ms.Tensor:
        """√ᾱ_t · original + √(1-ᾱ_t) · noise.

        Args:
            original_samples: shape (batch, …).
            noise: the same shape.
            timesteps: training timesteps, one for all (a number, shape () or (1,)) or one per image, (batch,).

        Returns:
            a tensor like `original_samples`, computed in float32.

        Raises:
            ValueError: if there are neither 1 nor `batch` timesteps, or one that the host can see is out of range; if
                the noise has another shape.
        """
        signal, sigma = self._mixture_for(timesteps, original_samples)
        return self._mix(signal, original_samples, sigma, noise)

    def get_velocity(self, sample: ms.Tensor, noise: ms.Tensor, timesteps: AnyTimesteps) -> ms.Tensor:
        """v = √ᾱ_t · noise - √(1-ᾱ_t) · sample (arXiv 2202.00512); arguments and errors as in `add_noise`."""
        signal, sigma = self._mixture_for(timesteps, sample)
        return self._mix(-sigma, sample, signal, noise)

    def _mix(self, a: ms.Tensor, x: ms.Tensor, b: ms.Tensor, noise: ms.Tensor) -> ms.Tensor:
        if noise.shape != x.shape:
            raise ValueError(f"noise has the shape {tuple(noise.shape)}, but the samples have {tuple(x.shape)}")
        work = working_dtype(x)
        return cast(blend(a, cast(x, work), b, cast(noise, work)), x.dtype)

    def _mixture_for(self, timesteps: AnyTimesteps, sample: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        known = host_values(timesteps)
        if known is not None:
            known = np.asarray([integer(value, "a timestep") for value in known.tolist()])
            if known.size and not 0 <= known.min() <= known.max() < len(self):
                raise ValueError(f"timesteps are {known.tolist()}; expected values from 0 to {len(self) - 1}")
            timesteps = ms.Tensor(known, ms.int64)
        count, batch = timesteps.size, sample.shape[0]
        if count not in (1, batch):
            raise ValueError(f"{count} timesteps for a batch of {batch}; expected 1 or {batch}")
        flat = timesteps.reshape((-1,))
        shape = (count, *(1 for _ in sample.shape[1:]))
        return ops.gather(self._signal, flat, 0).reshape(shape), ops.gather(self._sigma, flat, 0).reshape(shape)
