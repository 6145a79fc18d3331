"""Generate an image that resembles another image: IP-Adapter with SDXL and a TCD-LoRA.

    python examples/ip_adapter.py
    python examples/ip_adapter.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --ip-adapter h94/IP-Adapter --image photo.png
"""

import argparse

import numpy as np
from PIL import Image

from mindone_tcd import StableDiffusionXLPipeline, TCDScheduler, load_image, make_image_grid
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--ip-adapter", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--file", default="ip-adapter_sdxl.safetensors", help="a file in sdxl_models of --ip-adapter")
parser.add_argument("--image", help="the image prompt: a file or a URL (default: a drawing)")
parser.add_argument("--scale", type=float, default=0.5, help="the weight of the image prompt, from 0 (ignored) to 1")
parser.add_argument("--prompt", default="a robot on a bench in the rain")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(parse("a white star on a blue background"), 64, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))

pipe = StableDiffusionXLPipeline.from_pretrained(args.model or make_temporary("sdxl"))
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sdxl"))
pipe.load_ip_adapter(args.ip_adapter or make_temporary("ip-adapter"), subfolder="sdxl_models", weight_name=args.file)
pipe.set_ip_adapter_scale(args.scale)

image = pipe(
    prompt=args.prompt,
    ip_adapter_image=source,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source.resize(image.size), image], rows=1, cols=2).save("ip_adapter.png")
print("ip_adapter.png")
