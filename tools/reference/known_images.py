"""Generate the known images of the selftest and the tests with the shipped model, in diffusers on torch.

    python tools/reference/known_images.py

The images are in float32, with noise from PCG64. The cases are those of `mindone_tcd/selftest/cases.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from mindone_tcd.selftest.cases import CASES, FILE, arguments, stored_pixels, streams
from mindone_tcd.shapes.folder import SHAPES_FOLDER

LORA_FILE = "pytorch_lora_weights.safetensors"


def make(folder: Path = SHAPES_FOLDER) -> dict[str, np.ndarray]:
    """The images of every case: float32 (2, 32, 32, 3) in [0, 1]."""
    import torch
    from diffusers import LCMScheduler, StableDiffusionXLPipeline, TCDScheduler

    sys.path.insert(0, str(Path(__file__).parent))
    from replayed_noise import numpy_streams, replayed

    with numpy_streams():
        pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        out, loaded = {}, None
        for name, case in CASES.items():
            scheduler = {"tcd": TCDScheduler, "lcm": LCMScheduler}[case["method"]]
            pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
            wanted = case["method"] if case.get("lora", True) else None
            if wanted != loaded:
                # One LoRA at a time: set_adapters of diffusers fails with a list as layers_per_block.
                pipe.unload_lora_weights()
                if wanted is not None:
                    pipe.load_lora_weights(str(folder / f"{wanted}_lora"), weight_name=LORA_FILE, adapter_name=wanted)
                loaded = wanted
            generators = streams()
            latents = replayed((2, 4, 16, 16), generators)
            images = pipe(latents=latents, generator=generators, **arguments(case)).images
            out[name] = np.ascontiguousarray(stored_pixels(images))
        return out


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    np.savez_compressed(FILE, **make())
    print(FILE, FILE.stat().st_size)
