"""Make the stored references of the pipeline tests: the shipped model's pictures by diffusers on torch.

    python tools/reference/pictures.py

float32, noise replayed from PCG64; of each picture every fourth pixel is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mindone_tcd.pipelines.recipes import SHAPES_FOLDER

OUT = Path(__file__).resolve().parents[2] / "tests" / "pipelines" / "pictures.npz"
PROMPTS = ["a red circle on a blue background", "a small white star in the top left on a black background"]
SEEDS = [3, 11]
LORA_FILE = "pytorch_lora_weights.safetensors"

CASES: dict[str, dict] = {
    "tcd-4": {"method": "tcd", "steps": 4, "eta": 0.3, "guidance": 0.0},
    "tcd-2-eta-1": {"method": "tcd", "steps": 2, "eta": 1.0, "guidance": 0.0},
    "tcd-3-eta-0-guidance-3": {"method": "tcd", "steps": 3, "eta": 0.0, "guidance": 3.0},
    "tcd-4-no-lora": {"method": "tcd", "steps": 4, "eta": 0.3, "guidance": 3.0, "lora": False},
    "lcm-4": {"method": "lcm", "steps": 4, "guidance": 0.0},
    "lcm-2-guidance-2": {"method": "lcm", "steps": 2, "guidance": 2.0},
}
"""Each way to use the shipped model that is compared; guidance above 1 has a negative prompt."""

NEGATIVE = "a green square"


def streams() -> list[np.random.Generator]:
    return [np.random.Generator(np.random.PCG64(seed)) for seed in SEEDS]


def make(folder: Path = SHAPES_FOLDER) -> dict[str, np.ndarray]:
    """The pictures of every case: float32 (2, 32, 32, 3) in [0, 1]."""
    import torch
    from diffusers import LCMScheduler, StableDiffusionXLPipeline, TCDScheduler

    sys.path.insert(0, str(Path(__file__).parent))
    from replayed_noise import numpy_streams, replayed

    with numpy_streams():
        pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        for method in ("tcd", "lcm"):
            pipe.load_lora_weights(str(folder / f"{method}_lora"), weight_name=LORA_FILE, adapter_name=method)
        out = {}
        for name, case in CASES.items():
            scheduler = {"tcd": TCDScheduler, "lcm": LCMScheduler}[case["method"]]
            pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
            if case.get("lora", True):
                pipe.enable_lora()
                pipe.set_adapters([case["method"]])
            else:
                pipe.disable_lora()
            generators = streams()
            pictures = pipe(
                PROMPTS,
                negative_prompt=[NEGATIVE] * 2 if case["guidance"] > 1 else None,
                num_inference_steps=case["steps"],
                guidance_scale=case["guidance"],
                latents=replayed((2, 4, 16, 16), generators),
                generator=generators,
                output_type="np",
                **({"eta": case["eta"]} if "eta" in case else {}),
            ).images
            out[name] = np.ascontiguousarray(pictures[:, ::4, ::4])
        return out


if __name__ == "__main__":
    np.savez_compressed(OUT, **make())
    print(OUT, OUT.stat().st_size)
