"""Generate a part of an image again: inpainting with SDXL and a TCD-LoRA.

    python examples/inpainting.py
    python examples/inpainting.py --model diffusers/stable-diffusion-xl-1.0-inpainting-0.1 --lora h1t/TCD-SDXL-LoRA \\
        --image photo.png --mask mask.png --prompt "a red boat"

Without --model, the script uses the shapes model that was trained for inpainting, which ships in the package. Its UNet
has 9 input channels: it also reads the mask and the rest of the image. A white circle becomes a star, and the square
beside it stays. A UNet of 4 input channels works too: the pipeline then preserves the rest by blending latents.
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw

from mindone_tcd import StableDiffusionXLInpaintPipeline, TCDScheduler, load_image, make_image_grid, shapes
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes-inpainting")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("tcd-lora")), help="a folder or a hub id")
parser.add_argument("--image", help="the image: a file or a URL (default: a drawing)")
parser.add_argument("--mask", help="white where the image changes (default: the right half)")
parser.add_argument("--prompt", default="a red square to the left of a yellow star on a green background")
args = parser.parse_args()

pipe = StableDiffusionXLInpaintPipeline.from_pretrained(args.model)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

if args.image:
    source = load_image(args.image)
else:
    things = Thing("square", "red", -0.48, 0, 0.36), Thing("circle", "white", 0.48, 0, 0.36)
    drawing = draw(Scene("green", things), 128, np.random.default_rng(0))
    source = Image.fromarray((drawing * 255).astype(np.uint8))
if args.mask:
    mask = load_image(args.mask)
else:
    mask = Image.new("L", source.size)
    ImageDraw.Draw(mask).rectangle([source.width // 2, 0, source.width, source.height], fill=255)

image = pipe(
    prompt=args.prompt,
    image=source,
    mask_image=mask,
    width=source.width,
    height=source.height,
    num_inference_steps=4,
    guidance_scale=0,
    strength=1.0,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source, mask.convert("RGB"), image], rows=1, cols=3).save("inpainting.png")
print("inpainting.png")
