"""Run the comparison cases of the schedulers in diffusers on torch, and store the results for the plain test suite.

python tools/reference/schedulers.py  # needs torch and diffusers; writes tests/schedulers/references.npz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "schedulers"))
sys.path.insert(0, str(Path(__file__).parent))
import trajectories as tr
from replayed_noise import numpy_streams

SCHEDULERS = {"TCD": diffusers.TCDScheduler, "LCM": diffusers.LCMScheduler}
HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
HALF_SHAPE = (2, 4, 16, 16)


def scheduler_for(name: str, config: dict, timesteps: dict):
    scheduler = SCHEDULERS[name](**config)
    scheduler.set_timesteps(**{key: list(v) if isinstance(v, tuple) else v for key, v in timesteps.items()})
    return scheduler


def run(case: tr.Case, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """The case's last sample by diffusers, float64."""
    with numpy_streams():
        return tr.run(
            case,
            scheduler_for(case.scheduler, case.config, case.timesteps),
            put=lambda array: torch.from_numpy(array).to(dtype),
            get=lambda tensor: tensor.to(torch.float64).numpy(),
            generator=np.random.Generator(np.random.PCG64(0)),
        )


def half_cases() -> list[tr.Case]:
    """Cases in half precision, with larger samples, so that an average error is meaningful."""
    options = [("TCD", {"eta": eta}) for eta in tr.ETAS] + [("LCM", {})]
    return [
        tr.Case(name, {"prediction_type": kind}, {"num_inference_steps": steps}, shape=HALF_SHAPE, **extra)
        for name, extra in options
        for kind in tr.PREDICTIONS
        for steps in (1, 4)
    ]


def published_noise() -> np.ndarray:
    """The noise of torch's generator with seed 0 for the LCM loop of 10 steps of the upstream suite."""
    generator = torch.manual_seed(0)
    return np.stack([torch.randn((4, 3, 8, 8), generator=generator).numpy() for _ in range(9)])


def main() -> None:
    stored = {case.name: run(case).astype(np.float32) for case in tr.CASES}
    for grid in tr.GRIDS:
        stored[tr.grid_name(*grid)] = scheduler_for(*grid).timesteps.numpy().astype(np.int16)
    for schedule, rescale in tr.ALPHAS:
        reference = diffusers.TCDScheduler(beta_schedule=schedule, rescale_betas_zero_snr=rescale)
        stored[f"alphas {schedule} {rescale}"] = reference.alphas_cumprod.numpy()
    for case in half_cases():
        exact = run(case, torch.float64)
        for name, dtype in HALVES.items():
            stored[f"{name} error {case.name}"] = np.sqrt(np.mean((run(case, dtype) - exact) ** 2))
    stored["published noise"] = published_noise()
    np.savez_compressed(tr.REFERENCES, **stored)
    print(
        f"diffusers {diffusers.__version__}, torch {torch.__version__}: {len(stored)} arrays, "
        f"{tr.REFERENCES.stat().st_size / 1024:.0f} KB in {tr.REFERENCES.name}"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
