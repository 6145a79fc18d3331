"""The forward process: mixing samples with noise, for image-to-image and for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import mindspore as ms
import numpy as np
from mindspore import ops

from .affine import blend, cast, working_dtype
from .arguments import integer
from .timesteps import host_values

AnyTimesteps: TypeAlias = int | Sequence[int] | np.ndarray | ms.Tensor


def per_sample(tables: tuple[ms.Tensor, ms.Tensor], timesteps: AnyTimesteps, samples: ms.Tensor) -> list[ms.Tensor]:
    """Look up values of training timesteps on the device.

    Args:
        tables: tensors of shape (T,), such as √ᾱ and √(1-ᾱ).
        timesteps: one for all samples (a number, shape () or (1,)), or one for each, shape (batch,).
        samples: shape (batch, …).

    Returns:
        For each table, a tensor of shape (1 or batch, 1, …) that broadcasts over `samples`.

    Raises:
        ValueError: if the number of timesteps is neither 1 nor `batch`, or if the host knows a timestep that is out of
            range.
    """
    on_device: ms.Tensor = timesteps
    known = host_values(timesteps)
    if known is not None:
        last = len(tables[0]) - 1
        known = np.asarray([integer(value, "a timestep") for value in known.tolist()])
        if known.size and not 0 <= known.min() <= known.max() <= last:
            raise ValueError(f"timesteps are {known.tolist()}; expected values from 0 to {last}")
        on_device = ms.Tensor(known, ms.int64)
    count, batch = on_device.size, samples.shape[0]
    if count not in (1, batch):
        raise ValueError(f"{count} timesteps for a batch of {batch}; expected 1 or {batch}")
    flat = on_device.reshape((-1,))
    shape = (count, *(1 for _ in samples.shape[1:]))
    return [ops.gather(table, flat, 0).reshape(shape) for table in tables]


def mix(a: ms.Tensor, x: ms.Tensor, b: ms.Tensor, noise: ms.Tensor) -> ms.Tensor:
    """Return a·x + b·noise in the dtype of x, computed in float32 (float64 for float64).

    Raises:
        ValueError: if the shapes of x and noise differ.
    """
    if noise.shape != x.shape:
        raise ValueError(f"noise has the shape {tuple(noise.shape)}, but the samples have {tuple(x.shape)}")
    work = working_dtype(x)
    return cast(blend(a, cast(x, work), b, cast(noise, work)), x.dtype)
