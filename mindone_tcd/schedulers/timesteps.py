"""Which timesteps a trajectory visits, and a tensor of timesteps whose values the host knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import mindspore as ms
import numpy as np

from .arguments import integer

logger = logging.getLogger(__name__)


def origin_grid(num_train_timesteps: int, original_inference_steps: int) -> np.ndarray:
    """Return the timesteps of the distillation: k-1, 2k-1, …, with k = T // original_inference_steps.

    Returns:
        An int64 array of shape (original_inference_steps,), ascending.
    """
    stride = num_train_timesteps // original_inference_steps
    return np.arange(1, original_inference_steps + 1, dtype=np.int64) * stride - 1


def pick(grid: np.ndarray, count: int) -> np.ndarray:
    """Return `count` timesteps of an ascending grid, evenly spaced from its top: int64, descending."""
    places = np.floor(np.linspace(0, len(grid), num=count, endpoint=False)).astype(np.int64)
    return grid[::-1][places]


def check_count(steps: int, grid: np.ndarray, original: int, strength: float, limit: int) -> None:
    """Check that a grid has enough timesteps for a number of steps.

    Args:
        steps: the number of inference steps.
        grid: the timesteps to choose from.
        original: the length of the distillation's grid.
        strength: in (0, 1], for the message.
        limit: the number of training timesteps.

    Raises:
        ValueError: if it has not; the message says what to change.
    """
    most = min(len(grid), original)
    if steps > most:
        remedy = "take fewer steps, " + ("a higher strength, " if strength < 1 else "")
        raise ValueError(
            f"num_inference_steps is {steps}, but original_inference_steps={original} and "
            f"strength={strength:g} allow at most {most}; {remedy}or original_inference_steps up to {limit}"
        )


def custom(timesteps: Sequence[int] | np.ndarray, strength: float, grid: np.ndarray, limit: int) -> np.ndarray:
    """Check timesteps that the caller chose, and return the last `int(count · strength)` of them.

    Args:
        timesteps: integers in [0, `limit`), strictly descending.
        strength: in (0, 1].
        grid: the timesteps of the distillation, for the warnings.
        limit: the number of training timesteps.

    Returns:
        An int64 array, descending.

    Raises:
        ValueError: if the timesteps are not as described, or if no timestep is left.
    """
    values = np.asarray(timesteps).reshape(-1).tolist()
    values = [integer(int(v) if isinstance(v, float) and v.is_integer() else v, "one of timesteps") for v in values]
    if not values:
        raise ValueError("timesteps is empty; expected at least one")
    if any(later >= earlier for earlier, later in pairwise(values)):
        raise ValueError(f"timesteps is {values}; expected strictly descending values: sort them, largest first")
    if values[0] >= limit or values[-1] < 0:
        raise ValueError(f"timesteps runs from {values[0]} to {values[-1]}; expected values from {limit - 1} down to 0")
    kept = int(len(values) * strength)
    if kept == 0:
        raise ValueError(
            f"strength {strength:g} of {len(values)} timesteps leaves no step; "
            f"use a strength of at least {1 / len(values):g}"
        )
    if strength == 1 and values[0] != limit - 1:
        logger.warning(
            "The first timestep is %d, not %d, so the sample is not expected to be pure noise.", values[0], limit - 1
        )
    unknown = sorted(set(values) - set(grid.tolist()), reverse=True)
    if unknown:
        logger.warning("The model was not distilled on the timesteps %s; images may be worse.", unknown)
    if len(values) > len(grid):
        logger.warning("%d timesteps are more than the %d of the distillation.", len(values), len(grid))
    return np.asarray(values[len(values) - kept :], dtype=np.int64)


class Timesteps(ms.Tensor):
    """An int64 tensor of timesteps, shape (n,), whose values are also known on the host.

    Iteration, an index or a slice returns tensors that keep their values too, so that `scheduler.step(…, t, …)` finds
    the step without reading from the device. All other operations return ordinary tensors.
    """

    def __init__(self, values: Sequence[int] | np.ndarray) -> None:
        values = np.asarray(values, dtype=np.int64)
        super().__init__(values)
        self.host_values: tuple[int, ...] = tuple(values.tolist())

    def __getitem__(self, key: Any) -> ms.Tensor:
        if isinstance(key, slice) and self.host_values[key]:
            return Timesteps(self.host_values[key])
        if isinstance(key, Integral) and not isinstance(key, bool):
            return tagged(self.host_values[key])
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[ms.Tensor]:
        return map(tagged, self.host_values)

    def __deepcopy__(self, memo: dict) -> Timesteps:
        return Timesteps(self.host_values)

    def __reduce__(self) -> tuple[type[Timesteps], tuple[tuple[int, ...]]]:
        return Timesteps, (self.host_values,)


def tagged(value: int) -> ms.Tensor:
    """Return one timestep as an int64 tensor of shape (), with its value in the attribute `host_values`."""
    tensor = ms.Tensor(value, ms.int64)
    tensor.host_values = (value,)
    return tensor


def host_values(timesteps: int | float | Sequence[int] | np.ndarray | ms.Tensor) -> np.ndarray | None:
    """Return the timesteps as a flat array, or None if their values are known only on the device."""
    if isinstance(timesteps, ms.Tensor):
        known = getattr(timesteps, "host_values", None)
        return None if known is None else np.asarray(known)
    return np.asarray(timesteps).reshape(-1)
