"""Calls of the shipped model with known images, which diffusers on torch generated; stored in `images.npz`.

`tools/reference/known_images.py` creates the file: every fourth pixel of each image as float32, with noise from PCG64.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..random import generator

FILE = Path(__file__).with_name("images.npz")
PROMPTS = ["a red circle on a blue background", "a small white star in the top left on a black background"]
NEGATIVE = "a green square"
SEEDS = [3, 11]

CASES: dict[str, dict[str, Any]] = {
    "tcd-4": {"method": "tcd", "steps": 4, "eta": 0.3, "guidance": 0.0},
    "tcd-2-eta-1": {"method": "tcd", "steps": 2, "eta": 1.0, "guidance": 0.0},
    "tcd-3-eta-0-guidance-3": {"method": "tcd", "steps": 3, "eta": 0.0, "guidance": 3.0},
    "tcd-4-no-lora": {"method": "tcd", "steps": 4, "eta": 0.3, "guidance": 3.0, "lora": False},
    "lcm-4": {"method": "lcm", "steps": 4, "guidance": 0.0},
    "lcm-2-guidance-2": {"method": "lcm", "steps": 2, "guidance": 2.0},
}
"""Scheduler and LoRA, steps, eta and guidance scale. With a guidance scale above 1, there is a negative prompt."""


def known() -> dict[str, np.ndarray]:
    """Return the known images of each case: float32 (2, 32, 32, 3) in [0, 1]."""
    with np.load(FILE) as stored:
        return dict(stored)


def stored_pixels(images: np.ndarray) -> np.ndarray:
    """Return the pixels of images (n, height, width, 3) that are stored."""
    return images[:, ::4, ::4]


def streams() -> list[np.random.Generator]:
    """Return the noise generators of a case, one per image."""
    return [generator(seed) for seed in SEEDS]


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a pipeline call, of mindone or diffusers, except for the noise."""
    return {
        "prompt": PROMPTS,
        "negative_prompt": [NEGATIVE] * 2 if case["guidance"] > 1 else None,
        "num_inference_steps": case["steps"],
        "guidance_scale": case["guidance"],
        "output_type": "np",
        **({"eta": case["eta"]} if "eta" in case else {}),
    }
