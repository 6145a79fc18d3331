"""Generate an image from a prompt in 4 steps, with SDXL and a TCD-LoRA or an LCM-LoRA.

    python examples/text_to_image.py
    python examples/text_to_image.py --method lcm
    python examples/text_to_image.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA

Without --model, the script uses the shapes model, which ships in the package.
"""

import argparse

import numpy as np

from mindone_tcd import SHAPES_FOLDER, LCMScheduler, StableDiffusionXLPipeline, TCDScheduler

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--method", choices=("tcd", "lcm"), default="tcd")
parser.add_argument("--model", default=str(SHAPES_FOLDER), help="a folder or a hub id")
parser.add_argument("--lora", help="a folder or a hub id (default: the shapes model's own)")
parser.add_argument("--prompt", default="a red circle on a blue background")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

pipe = StableDiffusionXLPipeline.from_pretrained(args.model)
scheduler = TCDScheduler if args.method == "tcd" else LCMScheduler
pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or str(SHAPES_FOLDER / f"{args.method}_lora"))

image = pipe(
    prompt=args.prompt,
    num_inference_steps=4,
    guidance_scale=0,
    generator=np.random.Generator(np.random.PCG64(args.seed)),
)[0][0]
image.save("text_to_image.png")
print("text_to_image.png")
