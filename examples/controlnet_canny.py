"""Generate an image that follows the edges of another image: ControlNet with SDXL and a TCD-LoRA.

    python examples/controlnet_canny.py
    python examples/controlnet_canny.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --controlnet diffusers/controlnet-canny-sdxl-1.0 --image photo.png --scale 0.5 --prompt "a glass bird"

Without --model, the script uses the shapes models, which ship in the package. You can repeat --controlnet. Each
ControlNet then gets the same edges, and an equal share of the scale.
"""

import argparse

import cv2
import numpy as np
from PIL import Image

from mindone_tcd import (
    ControlNetModel,
    StableDiffusionXLControlNetPipeline,
    TCDScheduler,
    load_image,
    make_image_grid,
    shapes,
)
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("tcd-lora")), help="a folder or a hub id")
parser.add_argument("--controlnet", action="append", help="a folder or a hub id")
parser.add_argument("--image", help="the image that provides the edges: a file or a URL (default: a drawing)")
parser.add_argument("--scale", type=float, default=1.0, help="the weight of the edges, from 0 (ignored) to about 1")
parser.add_argument("--prompt", default="a red star on a green background")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(Scene("blue", (Thing("star", "white", -0.25, 0.2, 0.6),)), 128)
    source = Image.fromarray((drawing * 255).astype(np.uint8))
edges = cv2.Canny(np.array(source), 100, 200)
edges = Image.fromarray(np.stack([edges] * 3, axis=-1))

names = args.controlnet or [str(shapes.model("controlnet-canny"))]
controlnets = [ControlNetModel.from_pretrained(name) for name in names]
several = len(controlnets) > 1
pipe = StableDiffusionXLControlNetPipeline.from_pretrained(
    args.model, controlnet=controlnets if several else controlnets[0]
)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

image = pipe(
    args.prompt,
    image=[edges] * len(controlnets) if several else edges,
    controlnet_conditioning_scale=[args.scale / len(controlnets)] * len(controlnets) if several else args.scale,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source.resize(image.size), edges.resize(image.size), image], rows=1, cols=3).save(
    "controlnet_canny.png"
)
print("controlnet_canny.png")
