"""Generate an image that resembles another image: IP-Adapter with SDXL and a TCD-LoRA.

    python examples/ip_adapter.py
    python examples/ip_adapter.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --ip-adapter h94/IP-Adapter --image photo.png --scale 0.5 --prompt "a robot on a bench in the rain"

Without --model, the script uses the shapes models, which ship in the package. The image alone, with an empty prompt,
determines the shape and the colors.
"""

import argparse

import numpy as np
from PIL import Image

from mindone_tcd import StableDiffusionXLPipeline, TCDScheduler, load_image, make_image_grid, shapes
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("tcd-lora")), help="a folder or a hub id")
parser.add_argument("--ip-adapter", default=str(shapes.model("ip-adapter")), help="a folder or a hub id")
parser.add_argument("--file", default="ip-adapter_sdxl.safetensors", help="a file in sdxl_models of --ip-adapter")
parser.add_argument("--image", help="the image prompt: a file or a URL (default: a drawing)")
parser.add_argument("--scale", type=float, default=1.0, help="the weight of the image prompt, from 0 (ignored) to 1")
parser.add_argument("--prompt", default="")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(Scene("yellow", (Thing("heart", "purple", 0, 0, 0.55),)), 128)
    source = Image.fromarray((drawing * 255).astype(np.uint8))

pipe = StableDiffusionXLPipeline.from_pretrained(args.model)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)
pipe.load_ip_adapter(args.ip_adapter, subfolder="sdxl_models", weight_name=args.file)
pipe.set_ip_adapter_scale(args.scale)

images = pipe(
    prompt=args.prompt,
    ip_adapter_image=source,
    num_images_per_prompt=3,
    num_inference_steps=4,
    guidance_scale=0,
    eta=0.3,
    generator=[np.random.Generator(np.random.PCG64(seed)) for seed in range(3)],
)[0]
make_image_grid([source.resize(images[0].size), *images], rows=1, cols=4).save("ip_adapter.png")
print("ip_adapter.png")
