"""Generate an image that follows the depth map of another image: DPT estimates it, and a ControlNet uses it.

    python examples/controlnet_depth.py
    python examples/controlnet_depth.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --controlnet diffusers/controlnet-depth-sdxl-1.0 --dpt Intel/dpt-hybrid-midas --image photo.png
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
)
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--controlnet", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--dpt", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--image", help="the image that provides the depth map: a file or a URL (default: a drawing)")
parser.add_argument("--prompt", default="a workshop full of clocks, warm light")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(parse("a white star on a blue background"), 64, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))

dpt = args.dpt or make_temporary("dpt-hybrid")
pixels = DPTImageProcessor.from_pretrained(dpt)(images=source, return_tensors="np")["pixel_values"]
depth = DPTForDepthEstimation.from_pretrained(dpt)(ms.Tensor(pixels))[0].asnumpy()[0]
depth = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6)
depth = Image.fromarray((depth * 255).astype(np.uint8)).resize(source.size, Image.Resampling.BICUBIC).convert("RGB")

pipe = StableDiffusionXLControlNetPipeline.from_pretrained(
    args.model or make_temporary("sdxl"),
    controlnet=ControlNetModel.from_pretrained(args.controlnet or make_temporary("controlnet-sdxl")),
)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sdxl"))

image = pipe(
    args.prompt,
    image=depth,
    controlnet_conditioning_scale=0.5,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([depth.resize(image.size), image], rows=1, cols=2).save("controlnet_depth.png")
print("controlnet_depth.png")
