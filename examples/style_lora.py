"""Use a style LoRA together with the TCD-LoRA: weighted, fused into the UNet, and unfused again.

    python examples/style_lora.py
    python examples/style_lora.py --model stabilityai/stable-diffusion-xl-base-1.0 --lora h1t/TCD-SDXL-LoRA \\
        --style TheLastBen/Papercut_SDXL --prompt "papercut of a fox in a forest"

Without --model, the script uses the shapes models, which ship in the package. Their style LoRA draws each
image as a round badge.
"""

import argparse

import numpy as np

from mindone_tcd import StableDiffusionXLPipeline, TCDScheduler, make_image_grid, shapes

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("tcd-lora")), help="the TCD-LoRA: a folder or a hub id")
parser.add_argument("--style", default=str(shapes.model("style-badge")), help="the style LoRA: a folder or a hub id")
parser.add_argument("--prompt", default="a large orange star on a cyan background")
args = parser.parse_args()

pipe = StableDiffusionXLPipeline.from_pretrained(args.model)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora, adapter_name="tcd")
pipe.load_lora_weights(args.style, adapter_name="style")


def image():
    generator = np.random.Generator(np.random.PCG64(0))
    return pipe(args.prompt, num_inference_steps=4, guidance_scale=0, eta=0.3, generator=generator)[0][0]


pipe.set_adapters(["tcd", "style"], adapter_weights=[1.0, 1.0])
weighted = image()

pipe.fuse_lora(adapter_names=["tcd", "style"])  # faster: the UNet has no LoRA layers to run
fused = image()

pipe.unfuse_lora()
pipe.set_adapters("tcd")
plain = image()

make_image_grid([weighted, fused, plain], rows=1, cols=3).save("style_lora.png")
print("style_lora.png")
