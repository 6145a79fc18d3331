"""Generate an image that follows the edges of another image: ControlNet with SDXL and a TCD-LoRA.

    python examples/controlnet_canny.py
    python examples/controlnet_canny.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --controlnet diffusers/controlnet-canny-sdxl-1.0 --image photo.png

You can repeat --controlnet. Each ControlNet then gets the same edges, and an equal share of the scale.
"""

import argparse

import cv2
import numpy as np
from PIL import Image

from mindone_tcd import ControlNetModel, StableDiffusionXLControlNetPipeline, TCDScheduler, load_image, make_image_grid
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--controlnet", action="append", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--image", help="the image that provides the edges: a file or a URL (default: a drawing)")
parser.add_argument("--prompt", default="a stained-glass window in the morning sun")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(parse("a white star on a blue background"), 64, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))
edges = cv2.Canny(np.array(source), 100, 200)
edges = Image.fromarray(np.stack([edges] * 3, axis=-1))

controlnets = [ControlNetModel.from_pretrained(name) for name in args.controlnet or [make_temporary("controlnet-sdxl")]]
pipe = StableDiffusionXLControlNetPipeline.from_pretrained(
    args.model or make_temporary("sdxl"), controlnet=controlnets if len(controlnets) > 1 else controlnets[0]
)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sdxl"))

several = len(controlnets) > 1
image = pipe(
    args.prompt,
    image=[edges] * len(controlnets) if several else edges,
    controlnet_conditioning_scale=[0.5 / len(controlnets)] * len(controlnets) if several else 0.5,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([edges.resize(image.size), image], rows=1, cols=2).save("controlnet_canny.png")
print("controlnet_canny.png")
