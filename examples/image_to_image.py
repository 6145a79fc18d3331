"""Change an image with a prompt: the content follows the prompt, and the composition stays.

    python examples/image_to_image.py
    python examples/image_to_image.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --image photo.png --prompt "the same house in winter"

Without --model, the script uses the shapes model, which ships in the package. Without --image, it first generates a
yellow square in the top left. The prompt names no position, so the circle gets the position and size of the square.
"""

import argparse

import numpy as np

from mindone_tcd import (
    SHAPES_FOLDER,
    AutoPipelineForImage2Image,
    StableDiffusionXLPipeline,
    TCDScheduler,
    load_image,
    make_image_grid,
)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(SHAPES_FOLDER), help="a folder or a hub id")
parser.add_argument("--lora", default=str(SHAPES_FOLDER / "tcd_lora"), help="a folder or a hub id")
parser.add_argument("--image", help="the image to start from: a file or a URL")
parser.add_argument("--prompt", default="a yellow circle on a blue background")
parser.add_argument("--strength", type=float, default=0.65, help="0 keeps the image, 1 ignores it")
args = parser.parse_args()

pipe = StableDiffusionXLPipeline.from_pretrained(args.model)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

if args.image:
    start = load_image(args.image)
else:
    prompt = "a large yellow square in the top left on a blue background"
    start = pipe(prompt, num_inference_steps=4, guidance_scale=0, generator=np.random.Generator(np.random.PCG64(0)))[0][
        0
    ]

pipe = AutoPipelineForImage2Image.from_pipe(pipe)
image = pipe(
    prompt=args.prompt,
    image=start,
    strength=args.strength,
    num_inference_steps=8,
    guidance_scale=0,
    generator=np.random.Generator(np.random.PCG64(1)),
)[0][0]
make_image_grid([start.resize(image.size), image], rows=1, cols=2).save("image_to_image.png")
print("image_to_image.png")
