"""Use SDXL with a fully distilled UNet that reads the guidance scale as an input, such as lcm-sdxl.

    python examples/text_to_image_guidance_embedded.py
    python examples/text_to_image_guidance_embedded.py --model stabilityai/stable-diffusion-xl-base-1.0 \\
        --unet latent-consistency/lcm-sdxl

Without --model and --unet, the script uses the shapes models, which ship in the package. Guidance needs no second UNet
pass here, and a negative prompt has no effect.
"""

import argparse

import numpy as np

from mindone_tcd import LCMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel, shapes

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--unet", default=str(shapes.model("lcm-unet")), help="a folder or a hub id")
parser.add_argument("--prompt", default="a small white star in the top left on a purple background")
args = parser.parse_args()

unet = UNet2DConditionModel.from_pretrained(args.unet)
pipe = StableDiffusionXLPipeline.from_pretrained(args.model, unet=unet)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)

image = pipe(
    prompt=args.prompt,
    num_inference_steps=4,
    guidance_scale=8.0,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
image.save("text_to_image_guidance_embedded.png")
print("text_to_image_guidance_embedded.png")
