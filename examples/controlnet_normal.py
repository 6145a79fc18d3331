"""Generate an image that follows the surface normals of another image: DPT estimates depths, a ControlNet uses normals.

    python examples/controlnet_normal.py
    python examples/controlnet_normal.py --model stable-diffusion-v1-5/stable-diffusion-v1-5 --lora h1t/TCD-SD15-LoRA \\
        --controlnet lllyasviel/sd-controlnet-normal --dpt Intel/dpt-hybrid-midas --image photo.png
"""

import argparse

import mindspore as ms
import numpy as np
from PIL import Image

from mindone_tcd import (
    ControlNetModel,
    DPTForDepthEstimation,
    DPTImageProcessor,
    StableDiffusionControlNetPipeline,
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
parser.add_argument("--image", help="the image that provides the normals: a file or a URL (default: a drawing)")
parser.add_argument("--prompt", default="a marble bust in a garden, soft light")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(parse("a white star on a blue background"), 64, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))

dpt = args.dpt or make_temporary("dpt-hybrid")
pixels = DPTImageProcessor.from_pretrained(dpt)(images=source, return_tensors="np")["pixel_values"]
near = DPTForDepthEstimation.from_pretrained(dpt)(ms.Tensor(pixels))[0].asnumpy()[0]
near = (near - near.min()) / max(float(np.ptp(near)), 1e-6)
near = np.array(Image.fromarray(near).resize(source.size, Image.Resampling.BICUBIC))

# Red points left, green up, blue to the viewer. The assumed depth of the scene is a quarter of the image's height.
down, right = np.gradient(near * source.height / 4)
normals = np.stack([right, down, np.ones_like(down)], axis=-1)
normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
normals = Image.fromarray(((normals + 1) * 127.5).astype(np.uint8))

pipe = StableDiffusionControlNetPipeline.from_pretrained(
    args.model or make_temporary("sd15"),
    controlnet=ControlNetModel.from_pretrained(args.controlnet or make_temporary("controlnet-sd15")),
)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sd15"))

image = pipe(
    args.prompt,
    image=normals,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([normals.resize(image.size), image], rows=1, cols=2).save("controlnet_normal.png")
print("controlnet_normal.png")
