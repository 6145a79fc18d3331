"""Generate an image that follows the edges of another image: T2I-Adapter with SDXL and an LCM-LoRA.

    python examples/t2i_adapter.py
    python examples/t2i_adapter.py --model stabilityai/stable-diffusion-xl-base-1.0 \\
        --lora latent-consistency/lcm-lora-sdxl --adapter TencentARC/t2i-adapter-canny-sdxl-1.0 --image photo.png \\
        --guidance 1.5 --scale 0.8 --prompt "a mountain hut at dusk, watercolour"

Without --model, the script uses the shapes models, which ship in the package. The adapter runs once per image; a
ControlNet runs at every step.
"""

import argparse

import cv2
import numpy as np
from PIL import Image

from mindone_tcd import LCMScheduler, StableDiffusionXLAdapterPipeline, T2IAdapter, load_image, make_image_grid, shapes
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("lcm-lora")), help="a folder or a hub id")
parser.add_argument("--adapter", default=str(shapes.model("t2i-canny")), help="a folder or a hub id")
parser.add_argument("--image", help="the image that provides the edges: a file or a URL (default: a drawing)")
parser.add_argument(
    "--guidance", type=float, default=1.0, help="guidance scale; above 1, the negative prompt has effect"
)
parser.add_argument("--scale", type=float, default=1.0, help="the weight of the edges, from 0 (ignored) to about 1")
parser.add_argument("--prompt", default="a yellow heart on a purple background")
args = parser.parse_args()

if args.image:
    source = load_image(args.image)
else:
    drawing = draw(Scene("white", (Thing("heart", "black", 0.25, -0.2, 0.55),)), 128)
    source = Image.fromarray((drawing * 255).astype(np.uint8))
edges = Image.fromarray(np.stack([cv2.Canny(np.array(source), 100, 200)] * 3, axis=-1))

adapter = T2IAdapter.from_pretrained(args.adapter)
pipe = StableDiffusionXLAdapterPipeline.from_pretrained(args.model, adapter=adapter)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

image = pipe(
    prompt=args.prompt,
    negative_prompt="blurry, dark" if args.guidance > 1 else None,
    image=edges,
    num_inference_steps=4,
    guidance_scale=args.guidance,
    adapter_conditioning_scale=args.scale,
    adapter_conditioning_factor=1,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source.resize(image.size), edges.resize(image.size), image], rows=1, cols=3).save("t2i_adapter.png")
print("t2i_adapter.png")
