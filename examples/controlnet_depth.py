"""Generate an image that follows the depth map of another image: ControlNet with SDXL and a TCD-LoRA.

    python examples/controlnet_depth.py
    python examples/controlnet_depth.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --controlnet diffusers/controlnet-depth-sdxl-1.0 --dpt Intel/dpt-hybrid-midas --image photo.png --scale 0.5

Without --model, the script uses the shapes models, which ship in the package. No small model can estimate depths. So
without --dpt, the map comes from the shapes in the image: a larger shape is nearer. With --dpt tiny, a tiny random
model in the layout of DPT estimates it, and the map is noise.
"""

import argparse

import mindspore as ms
import numpy as np
from PIL import Image

from mindone_tcd import (
    ControlNetModel,
    DPTForDepthEstimation,
    DPTImageProcessor,
    StableDiffusionXLControlNetPipeline,
    TCDScheduler,
    load_image,
    make_image_grid,
    shapes,
)
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("tcd-lora")), help="a folder or a hub id")
parser.add_argument("--controlnet", default=str(shapes.model("controlnet-depth")), help="a folder or a hub id")
parser.add_argument("--dpt", help="the depth estimator: a folder or a hub id; 'tiny' for a tiny random model")
parser.add_argument("--image", help="the image that provides the depth map: a file or a URL (default: a drawing)")
parser.add_argument("--scale", type=float, default=1.0, help="the weight of the map, from 0 (ignored) to about 1")
parser.add_argument("--prompt", default="a yellow circle to the left of a blue square on a white background")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    things = Thing("circle", "pink", -0.46, 0.0, 0.42), Thing("square", "white", 0.48, 0.05, 0.32)
    source = Image.fromarray((draw(Scene("brown", things), 128) * 255).astype(np.uint8))

if args.dpt:
    dpt = make_temporary("dpt-hybrid") if args.dpt == "tiny" else args.dpt
    pixels = DPTImageProcessor.from_pretrained(dpt)(images=source, return_tensors="np")["pixel_values"]
    depth = DPTForDepthEstimation.from_pretrained(dpt)(ms.Tensor(pixels))[0].asnumpy()[0]
    depth = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6)
    depth = Image.fromarray((depth * 255).astype(np.uint8)).resize(source.size, Image.Resampling.BICUBIC).convert("RGB")
else:
    depth = Image.fromarray(maps.depth(np.array(source)))

pipe = StableDiffusionXLControlNetPipeline.from_pretrained(
    args.model, controlnet=ControlNetModel.from_pretrained(args.controlnet)
)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

image = pipe(
    args.prompt,
    image=depth,
    controlnet_conditioning_scale=args.scale,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source.resize(image.size), depth.resize(image.size), image], rows=1, cols=3).save(
    "controlnet_depth.png"
)
print("controlnet_depth.png")
