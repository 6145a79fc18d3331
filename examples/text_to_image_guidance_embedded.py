"""Use SDXL with a fully distilled UNet that reads the guidance scale as an input, such as lcm-sdxl.

    python examples/text_to_image_guidance_embedded.py
    python examples/text_to_image_guidance_embedded.py --model stabilityai/stable-diffusion-xl-base-1.0 \\
        --unet latent-consistency/lcm-sdxl

Guidance needs no second UNet pass here, and a negative prompt has no effect.
"""

import argparse

import numpy as np

from mindone_tcd import LCMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--unet", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--prompt", default="an old tin robot on a shelf, studio light")
args = parser.parse_args()

unet = UNet2DConditionModel.from_pretrained(args.unet or make_temporary("lcm-sdxl"))
pipe = StableDiffusionXLPipeline.from_pretrained(args.model or make_temporary("sdxl"), unet=unet)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)

image = pipe(
    prompt=args.prompt,
    num_inference_steps=4,
    guidance_scale=8.0,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
image.save("text_to_image_guidance_embedded.png")
print("text_to_image_guidance_embedded.png")
