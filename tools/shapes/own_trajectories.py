"""The samples that a network meets in four steps with each LoRA: its own trajectories, for a second training.

The targets are the drawings whose maps or holes the network reads, so unlike sharpen.py this needs no judge.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers import LCMScheduler, TCDScheduler
from family import SCHEDULE
from frozen import LORAS, Frozen, timesteps

STEPS = 4
BATCH = 32
SCHEDULERS = {"tcd": TCDScheduler, "lcm": LCMScheduler}

Predict = Callable[[str, torch.Tensor, torch.Tensor, np.ndarray], torch.Tensor]
"""The prediction of v for a LoRA, samples such as (N, 4, 16, 16), timesteps (N,) and the numbers of the cases (N,)."""


class OwnTrajectories:
    """Samples, timesteps and cases from four steps with each LoRA.

    Args:
        predict: the prediction.
        cases: the number of cases, of which the trajectories use random ones.
        count: the number of trajectories for each LoRA.
        rng: the random numbers.
        shape: the shape of a sample.
        steps: the number of steps.
        batch: the number of trajectories that are sampled together.
    """

    def __init__(
        self,
        predict: Predict,
        cases: int,
        count: int,
        rng: np.random.Generator,
        shape: tuple[int, ...] = (4, 16, 16),
        steps: int = STEPS,
        batch: int = BATCH,
    ) -> None:
        self._shape, self._steps = shape, steps
        self.rows: dict[str, tuple[torch.Tensor, torch.Tensor, np.ndarray]] = {}
        for lora in LORAS:
            x, t, case = [], [], []
            for _ in range(0, count, batch):
                pick = rng.integers(cases, size=batch)
                for sample, time in self._sample(lora, predict, pick, rng):
                    x.append(sample)
                    t.append(torch.full((batch,), time))
                    case.append(pick)
            self.rows[lora] = torch.cat(x), torch.cat(t), np.concatenate(case)

    @torch.no_grad()
    def _sample(self, lora: str, predict: Predict, pick: np.ndarray, rng: np.random.Generator):
        scheduler = SCHEDULERS[lora](**SCHEDULE)
        scheduler.set_timesteps(self._steps)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        options = {"eta": 0.3} if lora == "tcd" else {}
        x = torch.randn((len(pick), *self._shape), generator=generator)
        for t in scheduler.timesteps:
            yield x, int(t)
            v = predict(lora, x, t.expand(len(pick)), pick)
            x = scheduler.step(v, t, x, generator=generator, **options).prev_sample

    def batch(self, lora: str, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """Random samples, their timesteps and cases."""
        x, t, case = self.rows[lora]
        pick = rng.integers(len(t), size=count)
        return x[pick], t[pick], case[pick]


def training_batch(
    frozen: Frozen,
    latents: Callable[[np.ndarray], torch.Tensor],
    total: int,
    own: OwnTrajectories | None,
    lora: str,
    count: int,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, np.ndarray]:
    """Samples for one step: of the own trajectories if there are any with this LoRA, else noised latents.

    Args:
        frozen: the shipped model.
        latents: returns the clean latents of cases, such as (N, 4, 16, 16).
        total: the number of cases.
        own: the own trajectories.
        lora: ``none``, ``tcd`` or ``lcm``.
        count: the number of samples.
        rng: the random numbers.

    Returns:
        The samples x and the v to predict, such as (count, 4, 16, 16); the timesteps and the numbers of the cases.
    """
    if own is not None and lora != "none":
        x, t, cases = own.batch(lora, count, rng)
        x, t = x.to(frozen.device), t.to(frozen.device)
        return x, v_to_reach(latents(cases).to(frozen.device), x, t, frozen.alphas), t, cases
    cases, t = rng.integers(total, size=count), timesteps(count, rng).to(frozen.device)
    x, target = frozen.noised(latents(cases).to(frozen.device), t, rng)
    return x, target, t, cases


def v_to_reach(z: torch.Tensor, x: torch.Tensor, t: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """The v at samples x whose clean image is z."""
    a = alphas[t].view(-1, *([1] * (x.dim() - 1)))
    return (a.sqrt() * x - z) / (1 - a).sqrt()
