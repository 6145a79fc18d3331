"""The comparison can fail: a wrong draw, constant or weight moves the pictures by far more than the tolerance."""

from dataclasses import replace

import numpy as np
import parity_case
import pytest
from parity_cases import CASES
from parity_text_to_image import lora
from test_equal_to_diffusers import TOLERANCE


@pytest.fixture(scope="module")
def base():
    return CASES["sdxl-tcd"]


def moved(case: parity_case.Case, run, stored) -> float:
    return float(np.abs(parity_case.kept(case, run(case)) - stored["sdxl-tcd"]).max())


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (4,)},
        {"call": {"eta": 0.4}},
        {"call": {"num_inference_steps": 4}},
        {"call": {"prompt": "a red circle on a black background"}},
        {"scheduler": "LCMScheduler"},
        {"setup": ()},
        {"setup": (lora("sdxl", 2, "tcd"),)},
    ],
    ids=["seed", "eta", "steps", "prompt", "scheduler", "no LoRA", "another LoRA"],
)
def test_pictures_move(base, change, run, stored):
    call = base.call | change.get("call", {})
    if change.get("scheduler") == "LCMScheduler":
        call.pop("eta")
    assert moved(replace(base, **change | {"call": call}), run, stored) > 50 * TOLERANCE


@pytest.mark.parametrize(
    ("constant", "value", "least"),
    [
        ("beta_start", 0.00086, 3),
        ("beta_start", 0.0001, 50),
        ("beta_end", 0.02, 50),
        ("beta_schedule", "linear", 50),
        ("prediction_type", "v_prediction", 50),
        ("original_inference_steps", 49, 50),
    ],
)
def test_a_schedulers_constant_moves_them(base, constant, value, least, run, stored):
    pipe = run.loaded(base)
    kept = pipe.scheduler
    pipe.scheduler = type(kept).from_config(kept.config, **{constant: value})
    try:
        assert moved(base, run, stored) > least * TOLERANCE
    finally:
        pipe.scheduler = kept
