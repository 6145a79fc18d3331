"""Generate an image that follows the edges of another image: T2I-Adapter with SDXL and an LCM-LoRA.

    python examples/t2i_adapter.py
    python examples/t2i_adapter.py --model stabilityai/stable-diffusion-xl-base-1.0 \\
        --lora latent-consistency/lcm-lora-sdxl --adapter TencentARC/t2i-adapter-canny-sdxl-1.0 --image photo.png
"""

import argparse

import cv2
import numpy as np
from PIL import Image

from mindone_tcd import LCMScheduler, StableDiffusionXLAdapterPipeline, T2IAdapter, load_image, make_image_grid
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--adapter", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--image", help="the image that provides the edges: a file or a URL (default: a drawing)")
parser.add_argument("--prompt", default="a mountain hut at dusk, watercolour")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(parse("a white star on a blue background"), 64, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))
edges = Image.fromarray(np.stack([cv2.Canny(np.array(source), 100, 200)] * 3, axis=-1))

adapter = T2IAdapter.from_pretrained(args.adapter or make_temporary("t2i-adapter-sdxl"))
pipe = StableDiffusionXLAdapterPipeline.from_pretrained(args.model or make_temporary("sdxl"), adapter=adapter)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sdxl"))

image = pipe(
    prompt=args.prompt,
    negative_prompt="blurry, dark",
    image=edges,
    num_inference_steps=4,
    guidance_scale=1.5,
    adapter_conditioning_scale=0.8,
    adapter_conditioning_factor=1,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([edges.resize(image.size), image], rows=1, cols=2).save("t2i_adapter.png")
print("t2i_adapter.png")
