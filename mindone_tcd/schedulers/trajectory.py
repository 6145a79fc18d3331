"""The timesteps of one run, and which of them comes next. All values are on the host."""

from __future__ import annotations

import mindspore as ms
import numpy as np

from .arguments import integer
from .timesteps import Timesteps, host_values


class Trajectory:
    """The timesteps of a run and the position in them.

    Args:
        chosen: int64 array of shape (n,), descending.

    Attributes:
        timesteps: the same values as a tensor.
        values: the same values as a list.
        step_index: index of the next step; None before the first.
        begin_index: index of the first step, if `begin_at` set one.
    """

    def __init__(self, chosen: np.ndarray) -> None:
        self.timesteps = Timesteps(chosen)
        self.values: list[int] = chosen.tolist()
        self.step_index: int | None = None
        self.begin_index: int | None = None
        self._index_of = {value: index for index, value in enumerate(self.values)}

    def begin_at(self, begin_index: int) -> None:
        """Start at this index, and expect the steps in order from there.

        Raises:
            ValueError: if it is not an index into the timesteps.
        """
        begin_index = integer(begin_index, "begin_index")
        if not 0 <= begin_index < len(self.values):
            raise ValueError(f"begin_index is {begin_index}; expected 0 to {len(self.values) - 1}")
        self.begin_index = begin_index

    def locate(self, timestep: int | ms.Tensor) -> int:
        """Return the index of a timestep.

        The value is read on the host if it is known there. A tensor without known values is the next step in order
        after `begin_at`; otherwise it is read from the device.

        Raises:
            ValueError: if the timestep is not in the trajectory, or all steps are done.
        """
        known = host_values(timestep)
        if known is None and self.begin_index is not None:
            following = self.begin_index if self.step_index is None else self.step_index
            if following >= len(self.values):
                raise ValueError(f"all {len(self.values)} steps are done: call set_timesteps again")
            return following
        if isinstance(timestep, ms.Tensor) and known is None:
            known = timestep.asnumpy().reshape(-1)
        index = self._index_of.get(known.item()) if known is not None and known.size == 1 else None
        if index is None:
            raise ValueError(f"timestep is {timestep}; expected one of scheduler.timesteps: {self.values}")
        return index
