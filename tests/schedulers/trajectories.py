"""The trajectories that are compared with diffusers, and the code that runs them. NumPy only.

`tools/reference/schedulers.py` runs them in diffusers and stores the results in `references.npz`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REFERENCES = Path(__file__).with_name("references.npz")
SHAPE = (1, 4, 4, 4)
STEPS = (1, 2, 3, 4, 8, 25, 50)
ETAS = (0.0, 0.3, 1.0)
PREDICTIONS = ("epsilon", "v_prediction", "sample")
TRAINED_BETAS = tuple(np.linspace(0.001, 0.2, 100).tolist())


@dataclass(frozen=True)
class Case:
    """One run: the name and configuration of a scheduler, its timesteps, and its first step."""

    scheduler: str
    config: dict = field(default_factory=dict)
    timesteps: dict = field(default_factory=dict)
    begin: int | None = None
    eta: float | None = None
    shape: tuple[int, ...] = SHAPE

    @property
    def name(self) -> str:
        options = {**self.config, **self.timesteps}
        if "trained_betas" in options:
            options["trained_betas"] = "given"
        parts = [self.scheduler, *(f"{key}={value}" for key, value in options.items())]
        parts += [f"begin={self.begin}"] * (self.begin is not None) + [f"eta={self.eta}"] * (self.eta is not None)
        return " ".join(parts)

    @property
    def step_options(self) -> dict:
        return {} if self.eta is None else {"eta": self.eta}


def _both(config: dict, timesteps: dict, begin: int | None = None) -> list[Case]:
    return [Case("TCD", config, timesteps, begin, 0.3), Case("LCM", config, timesteps, begin)]


def _cases() -> list[Case]:
    cases = []
    for kind in PREDICTIONS:
        for steps in STEPS:
            config, timesteps = {"prediction_type": kind}, {"num_inference_steps": steps}
            cases += [Case("TCD", config, timesteps, eta=eta) for eta in ETAS]
            cases += [Case("LCM", config, timesteps)]
    for steps, begin in ((4, 1), (4, 2), (4, 3), (8, 1), (8, 3), (8, 7), (25, 10)):
        cases += _both({}, {"num_inference_steps": steps}, begin)
    for kind in ("v_prediction", "sample"):
        cases += _both({"rescale_betas_zero_snr": True, "prediction_type": kind}, {"num_inference_steps": 4})
    for schedule in ("linear", "squaredcos_cap_v2"):
        cases += _both({"beta_schedule": schedule}, {"num_inference_steps": 4})
    cases += _both({"trained_betas": TRAINED_BETAS, "num_train_timesteps": 100}, {"num_inference_steps": 4})
    cases += _both({"set_alpha_to_one": False}, {"num_inference_steps": 4})
    cases += _both({}, {"timesteps": (999, 845, 730, 587, 443, 310, 193, 116, 53, 13)})
    cases += _both({}, {"num_inference_steps": 4, "strength": 0.5})
    cases += _both({}, {"num_inference_steps": 4, "original_inference_steps": 100})
    cases += _both({"original_inference_steps": 20}, {"num_inference_steps": 7})
    cases += [Case("LCM", {"timestep_scaling": 0.01}, {"num_inference_steps": 4})]
    for extra in ({"clip_sample": True}, {"clip_sample": True, "clip_sample_range": 0.3}):
        cases += [Case("LCM", extra, {"num_inference_steps": 4})]
    for extra in ({}, {"sample_max_value": 1.5}, {"sample_max_value": 50.0, "dynamic_thresholding_ratio": 0.8}):
        cases += [Case("LCM", {"thresholding": True, **extra}, {"num_inference_steps": 4}, shape=(3, 4, 4, 4))]
    return cases


CASES = _cases()

# Grids without a run: (scheduler, configuration, arguments of set_timesteps).
GRIDS = [
    (scheduler, config, timesteps)
    for scheduler in ("TCD", "LCM")
    for config, timesteps in [
        *(({}, {"num_inference_steps": steps}) for steps in range(1, 51)),
        *(({}, {"num_inference_steps": 4, "strength": strength}) for strength in (0.1, 0.3, 0.5, 0.75, 0.8, 0.99)),
        *(
            ({}, {"num_inference_steps": 7, "original_inference_steps": original})
            for original in (7, 30, 50, 999, 1000)
        ),
        ({}, {"num_inference_steps": 3, "original_inference_steps": 40, "strength": 0.6}),
        ({"original_inference_steps": 64}, {"num_inference_steps": 5}),
        ({"num_train_timesteps": 500, "original_inference_steps": 30}, {"num_inference_steps": 6}),
        ({}, {"timesteps": (999, 700, 600, 123, 9, 0), "strength": 0.5}),
        ({}, {"timesteps": (950, 700, 600, 123, 9), "strength": 0.75}),
    ]
]
ALPHAS = [
    (schedule, rescale) for schedule in ("linear", "scaled_linear", "squaredcos_cap_v2") for rescale in (False, True)
]


def grid_name(scheduler: str, config: dict, timesteps: dict) -> str:
    return "grid " + Case(scheduler, config, timesteps).name


def model(sample: np.ndarray, timestep: int) -> np.ndarray:
    """A function in place of a network: smooth, nonlinear, and different at every timestep; float64."""
    sample = sample.astype(np.float64)
    return np.tanh(0.8 * sample + 0.3 * np.sin(0.01 * timestep)) + 0.1 * np.cos(sample * 0.002 * timestep)


def run(case: Case, scheduler, put: Callable, get: Callable, generator: np.random.Generator) -> np.ndarray:
    """Runs a case to its end.

    Args:
        scheduler: a scheduler of any framework, with its timesteps set.
        put: converts a NumPy array to a tensor of the framework.
        get: converts a tensor of the framework to a NumPy array.
        generator: the source of the first sample; also passed to `step`.
    """
    timesteps = scheduler.timesteps
    if case.begin is not None:
        scheduler.set_begin_index(case.begin)
        timesteps = timesteps[case.begin :]
    sample = put(generator.standard_normal(case.shape))
    for timestep in timesteps:
        output = put(model(get(sample), int(timestep)))
        sample = scheduler.step(output, timestep, sample, generator=generator, return_dict=False, **case.step_options)[
            0
        ]
    return get(sample)


def published_sample() -> np.ndarray:
    """The sample of the full loops in the upstream suite, float32 of shape (4, 3, 8, 8)."""
    count = 4 * 3 * 8 * 8
    return (np.arange(count).reshape(3, 8, 8, 4) / count).transpose(3, 0, 1, 2).astype(np.float32)


def published_model(sample: np.ndarray, timestep: int) -> np.ndarray:
    """The network of those loops."""
    return sample * np.float32(timestep) / np.float32(timestep + 1)
