"""Use a complete latent consistency model: text-to-image, and then image-to-image with the result.

    python examples/latent_consistency_model.py
    python examples/latent_consistency_model.py --model SimianLuo/LCM_Dreamshaper_v7

The UNet reads the guidance scale as an input.
"""

import argparse

import numpy as np

from mindone_tcd import AutoPipelineForImage2Image, LatentConsistencyModelPipeline, LCMScheduler
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--prompt", default="a paper boat on a puddle, macro photo")
args = parser.parse_args()

pipe = LatentConsistencyModelPipeline.from_pretrained(args.model or make_temporary("lcm-sd15"))
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
first = pipe(args.prompt, num_inference_steps=4, guidance_scale=8.0, generator=np.random.Generator(np.random.PCG64(0)))
first[0][0].save("latent_consistency_model.png")

again = AutoPipelineForImage2Image.from_pipe(pipe)
second = again(
    args.prompt,
    image=first[0][0],
    strength=0.5,
    num_inference_steps=4,
    guidance_scale=8.0,
    generator=np.random.Generator(np.random.PCG64(1)),
)
second[0][0].save("latent_consistency_model_again.png")
print("latent_consistency_model.png latent_consistency_model_again.png")
