"""Generate the images of the README and the quickstart with the shipped model, on MindSpore.

    python tools/shapes/readme_images.py
    python tools/shapes/readme_images.py --only-examples
    python tools/shapes/readme_images.py --only-model

- ``red-circle.png``: the image of the README's command, with the default seed.
- ``steps.png``: one prompt with 1, 2, 4 and 8 TCD steps, and with the teacher's 50 guided DDIM steps.
- ``prompts.png``: eight prompts with 4 TCD steps.
- ``uses/NAME.png`` or ``.gif``: the image that ``examples/NAME.py`` writes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
from build_images import optimized

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
ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "docs" / "assets"
EXAMPLES = (
    "image_to_image",
    "inpainting",
    "controlnet_canny",
    "controlnet_depth",
    "t2i_adapter",
    "ip_adapter",
    "style_lora",
    "text_to_image_guidance_embedded",
    "stable_diffusion",
    "latent_consistency_model",
    "controlnet_normal",
    "animatediff",
)
"""The examples whose images the documentation shows."""


def teacher(prompt: str) -> GeneratedImage:
    """50 steps of DDIM with guidance 3 and no LoRA."""
    from mindone.diffusers import DDIMScheduler

    pipe = load("text-to-image", lora="none")
    pipe.pipeline.scheduler = DDIMScheduler.from_config(pipe.pipeline.scheduler.config)
    return pipe(prompt, steps=50, guidance_scale=3, eta=0)[0]


def example_images(names: tuple[str, ...], out: Path) -> None:
    """Run examples and copy their images."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            script = ROOT / "examples" / f"{name}.py"
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
            subprocess.run([sys.executable, script], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
            (made,) = Path(folder).iterdir()
            (out / made.name).write_bytes(optimized(made))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ASSETS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only-examples", action="store_true", help="only the images of the examples")
    which.add_argument("--only-model", action="store_true", help="only the images of the model itself")
    which.add_argument("--example", action="append", choices=EXAMPLES, help="only this example's; may be repeated")
    args = parser.parse_args()
    if not args.only_model:
        example_images(tuple(args.example or EXAMPLES), args.out / "uses")
    if args.only_examples or args.example:
        return
    pipe = load("text-to-image")
    strip = [pipe(PROMPT, steps=steps)[0] for steps in (1, 2, 4, 8)]
    strip[2].save(args.out / "red-circle.png")
    grid([*strip, teacher(PROMPT)], columns=5).save(args.out / "steps.png")
    grid([pipe(prompt, seed=seed)[0] for seed, prompt in enumerate(PROMPTS)], columns=4).save(args.out / "prompts.png")


if __name__ == "__main__":
    main()
