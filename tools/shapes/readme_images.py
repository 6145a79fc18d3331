"""Generate the images of the README and the quickstart with the shipped model, on MindSpore.

    python tools/shapes/readme_images.py

- ``red-circle.png``: the image of the README's command, with the default seed.
- ``steps.png``: one prompt with 1, 2, 4 and 8 TCD steps, and with the teacher's 50 guided DDIM steps.
- ``prompts.png``: eight prompts with 4 TCD steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mindone_tcd import load
from mindone_tcd.generate.generated_image import GeneratedImage, grid

PROMPT = "a red circle on a blue background"
PROMPTS = (
    "a yellow star on a purple background",
    "a white ring on a black background",
    "a large pink heart on a cyan background",
    "an orange moon in the top right on a gray background",
    "a green cross on a yellow background",
    "a small brown diamond on a white background",
    "a cyan triangle to the left of a red square on a black background",
    "a yellow circle above a green triangle on a blue background",
)
ASSETS = Path(__file__).resolve().parents[2] / "docs" / "assets"


def teacher(prompt: str) -> GeneratedImage:
    """50 steps of DDIM with guidance 3 and no LoRA."""
    from mindone.diffusers import DDIMScheduler

    pipe = load("text-to-image", lora="none")
    pipe.pipeline.scheduler = DDIMScheduler.from_config(pipe.pipeline.scheduler.config)
    return pipe(prompt, steps=50, guidance_scale=3, eta=0)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ASSETS)
    args = parser.parse_args()
    pipe = load("text-to-image")
    strip = [pipe(PROMPT, steps=steps)[0] for steps in (1, 2, 4, 8)]
    strip[2].save(args.out / "red-circle.png")
    grid([*strip, teacher(PROMPT)], columns=5).save(args.out / "steps.png")
    grid([pipe(prompt, seed=seed)[0] for seed, prompt in enumerate(PROMPTS)], columns=4).save(args.out / "prompts.png")


if __name__ == "__main__":
    main()
