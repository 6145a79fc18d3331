"""The comparison can fail: a wrong random number, constant or weight moves the images far beyond the tolerance."""

from dataclasses import replace

import numpy as np
import parity_case
import pytest
from parity_cases import CASES
from parity_text_to_image import lora
from test_equal_to_diffusers import TOLERANCE

slow = pytest.mark.slow
TCD, LCM, LCM_TO_THE_END = "sdxl-tcd", "sdxl-lcm", "sdxl-lcm-own-timesteps"


@pytest.fixture
def moved(run, stored):
    """A function that returns the largest difference between a case, also with changes, and its stored result."""

    def largest(name, **changes) -> float:
        case = replace(CASES[name], **changes)
        return float(np.abs(parity_case.kept(case, run(case)) - stored[name]).max())

    return largest


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (4,)},
        pytest.param({"call": {"eta": 0.4}}, marks=slow),
        pytest.param({"call": {"num_inference_steps": 4}}, marks=slow),
        pytest.param({"call": {"prompt": "a red circle on a black background"}}, marks=slow),
        pytest.param({"scheduler": "LCMScheduler"}, marks=slow),
        {"setup": ()},
        pytest.param({"setup": (lora("sdxl", 2, "tcd"),)}, marks=slow),
    ],
    ids=["seed", "eta", "steps", "prompt", "scheduler", "no LoRA", "another LoRA"],
)
def test_images_move(change, moved):
    call = CASES[TCD].call | change.get("call", {})
    if change.get("scheduler") == "LCMScheduler":
        call.pop("eta")
    assert moved(TCD, **change | {"call": call}) > 50 * TOLERANCE


@pytest.mark.parametrize(
    "name",
    [
        "sdxl-tcd-negative-prompts",
        pytest.param("sdxl-img2img-tcd-batch-of-streams", marks=slow),
        pytest.param("t2i-adapter-lcm-guided", marks=slow),
    ],
)
def test_generators_in_another_order_move_them(name, moved):
    assert moved(name, seeds=CASES[name].seeds[::-1]) > 50 * TOLERANCE


class FirstTwoSwapped(np.random.Generator):
    """A generator that returns its second array first."""

    kept: np.ndarray | None = None
    started = False

    def standard_normal(self, size=None, **options):
        if self.started:
            kept, self.kept = self.kept, None
            return super().standard_normal(size, **options) if kept is None else kept
        self.kept, self.started = super().standard_normal(size, **options), True
        return super().standard_normal(size, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sdxl-img2img-tcd", "sdxl-inpaint-4-channels-tcd-half"])
def test_two_swapped_arrays_of_noise_move_them(name, moved, monkeypatch):
    assert moved(name) < TOLERANCE
    monkeypatch.setattr(
        parity_case, "streams", lambda seeds: [FirstTwoSwapped(np.random.PCG64(seed)) for seed in seeds]
    )
    assert moved(name) > 50 * TOLERANCE


@pytest.mark.parametrize(
    ("name", "constant", "value", "least"),
    [
        (TCD, "beta_start", 0.00086, 3),
        pytest.param(TCD, "beta_start", 0.0001, 50, marks=slow),
        pytest.param(TCD, "beta_end", 0.02, 50, marks=slow),
        pytest.param(TCD, "beta_schedule", "linear", 50, marks=slow),
        pytest.param(TCD, "prediction_type", "v_prediction", 50, marks=slow),
        pytest.param(TCD, "original_inference_steps", 49, 50, marks=slow),
        pytest.param(LCM, "beta_end", 0.0125, 50, marks=slow),
        pytest.param(LCM, "original_inference_steps", 49, 50, marks=slow),
        pytest.param(LCM_TO_THE_END, "timestep_scaling", 1.0, 50, marks=slow),
    ],
)
def test_a_schedulers_constant_moves_them(name, constant, value, least, moved, run):
    pipe = run.loaded(CASES[name])
    kept = pipe.scheduler
    pipe.scheduler = type(kept).from_config(kept.config, **{constant: value})
    try:
        assert moved(name) > least * TOLERANCE
    finally:
        pipe.scheduler = kept
