"""Where a sampler is on its way: the timesteps it visits, and which of them is next."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np

from .timesteps import Timesteps, custom, fraction, host_values, integer, origin_grid, pick, tagged


class Trajectory:
    """The timesteps of a run and the place in them, all of it known on the host."""

    num_inference_steps: int | None = None
    custom_timesteps: bool = False

    def _origin_grid(self, original_inference_steps: int | None, strength: float) -> np.ndarray:
        original = self._original_steps(original_inference_steps)
        return origin_grid(self.config.num_train_timesteps, original)[: int(original * strength)]

    def _original_steps(self, given: int | None) -> int:
        name = "original_inference_steps"
        original = integer(self.config[name] if given is None else given, name, least=1)
        if original > len(self):
            raise ValueError(f"{name} is {original}; expected at most num_train_timesteps={len(self)}")
        return original

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        *,
        original_inference_steps: int | None = None,
        timesteps: Sequence[int] | np.ndarray | ms.Tensor | None = None,
        strength: float = 1.0,
    ) -> None:
        """Chooses the timesteps, computes the table of coefficients, and goes back to the start.

        Args:
            num_inference_steps: how many steps to take. Give this or `timesteps`.
            original_inference_steps: another length of the distillation's grid than the configuration's.
                By name only: the second place is a device in diffusers and this number in mindone.
            timesteps: strictly descending training timesteps to use instead of the grid's.
            strength: in (0, 1]: image-to-image starts that far up the grid. mindone's SDXL pipelines leave it at 1
                and use `set_begin_index`.

        Raises:
            ValueError: with what was wrong, what was expected and what to change.
        """
        if (num_inference_steps is None) == (timesteps is None):
            raise ValueError("give either num_inference_steps or timesteps to set_timesteps: exactly one of them")
        strength = fraction(strength, "strength", zero=False)
        if timesteps is not None:
            if isinstance(timesteps, ms.Tensor):
                timesteps = timesteps.asnumpy()
            chosen = custom(timesteps, strength, self._origin_grid(original_inference_steps, 1.0), len(self))
        else:
            steps = integer(num_inference_steps, "num_inference_steps", least=1)
            grid = self._origin_grid(original_inference_steps, strength)
            original = self._original_steps(original_inference_steps)
            most = min(len(grid), original)
            if steps > most:
                remedy = "take fewer steps, " + ("a higher strength, " if strength < 1 else "")
                raise ValueError(
                    f"num_inference_steps is {steps}, but original_inference_steps={original} and "
                    f"strength={strength:g} allow at most {most}; {remedy}or original_inference_steps up to {len(self)}"
                )
            chosen = pick(grid, steps)
        self.custom_timesteps = timesteps is not None
        self.num_inference_steps = len(chosen)
        self._follow(chosen)
        self._tabulate()

    def _follow(self, chosen: np.ndarray) -> None:
        self.timesteps = Timesteps(chosen)
        self.timesteps_list: list[int] = chosen.tolist()
        self._places = {value: place for place, value in enumerate(self.timesteps_list)}
        self._step_index: int | None = None
        self._begin_index: int | None = None

    def _tabulate(self) -> None:
        """Fills the table of the trajectory that `set_timesteps` chose."""
        raise NotImplementedError

    @property
    def step_index(self) -> int | None:
        """The index into `timesteps` of the next step; None before the first."""
        return self._step_index

    @property
    def begin_index(self) -> int | None:
        """The index into `timesteps` of the first step, if `set_begin_index` named one."""
        return self._begin_index

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Starts at this index, and promises that the steps come in order from there.

        Raises:
            ValueError: if it is not an index into `timesteps`.
        """
        begin_index = integer(begin_index, "begin_index")
        if not 0 <= begin_index < len(self.timesteps_list):
            raise ValueError(f"begin_index is {begin_index}; expected 0 to {len(self.timesteps_list) - 1}")
        self._begin_index = begin_index

    def _need_timesteps(self) -> None:
        if self.num_inference_steps is None:
            raise ValueError("no timesteps yet: call set_timesteps(num_inference_steps) first")

    def _locate(self, timestep: int | ms.Tensor) -> int:
        self._need_timesteps()
        known = host_values(timestep)
        if known is None and self._begin_index is not None:
            place = self._begin_index if self._step_index is None else self._step_index
            if place >= self.num_inference_steps:
                raise ValueError(f"all {self.num_inference_steps} steps are done: call set_timesteps again")
            return place
        if known is None:
            known = timestep.asnumpy().reshape(-1)
        place = self._places.get(known.item()) if known.size == 1 else None
        if place is None:
            raise ValueError(f"timestep is {timestep}; expected one of scheduler.timesteps: {self.timesteps_list}")
        return place

    def previous_timestep(self, timestep: int | ms.Tensor) -> int | ms.Tensor:
        """The timestep that follows in the trajectory, -1 after the last; of the same kind as the argument.

        Raises:
            ValueError: if `timestep` is not in the trajectory.
        """
        if isinstance(timestep, ms.Tensor):
            known = host_values(timestep)
            return tagged(self.previous_timestep(int((timestep.asnumpy() if known is None else known).item())))
        if self.num_inference_steps is None:
            return timestep - 1
        return [*self.timesteps_list, -1][self._locate(timestep) + 1]
