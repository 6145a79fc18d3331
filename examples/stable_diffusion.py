"""Generate an image from a prompt in 4 steps, with Stable Diffusion 1.5 or 2.1 and an LCM-LoRA or a TCD-LoRA.

    python examples/stable_diffusion.py
    python examples/stable_diffusion.py --model stable-diffusion-v1-5/stable-diffusion-v1-5 \\
        --lora latent-consistency/lcm-lora-sdv1-5 --prompt "an old lighthouse keeper, oil on canvas"

Without --model, the script uses the shapes model in the layout of SD 1.5, which ships in the package.
"""

import argparse

import numpy as np

from mindone_tcd import LCMScheduler, StableDiffusionPipeline, TCDScheduler, shapes

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--method", choices=("lcm", "tcd"), default="lcm")
parser.add_argument("--model", default=str(shapes.model("shapes-sd15")), help="a folder or a hub id")
parser.add_argument("--lora", help="a folder or a hub id (default: the one for the shapes model and the method)")
parser.add_argument("--prompt", default="a yellow heart on a purple background")
args = parser.parse_args()

pipe = StableDiffusionPipeline.from_pretrained(args.model)
scheduler = LCMScheduler if args.method == "lcm" else TCDScheduler
pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or str(shapes.model(f"sd15-{args.method}-lora")))

image = pipe(
    prompt=args.prompt,
    num_inference_steps=4,
    guidance_scale=1.0,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
image.save("stable_diffusion.png")
print("stable_diffusion.png")
