"""Use a complete latent consistency model: text-to-image, and then image-to-image with the result.

    python examples/latent_consistency_model.py
    python examples/latent_consistency_model.py --model SimianLuo/LCM_Dreamshaper_v7 \\
        --prompt "a paper boat on a puddle, macro photo" --again "a paper boat on a lake, macro photo"

The UNet reads the guidance scale as an input. Without --model, the script uses the shapes model of this kind, which
ships in the package.
"""

import argparse

import numpy as np

from mindone_tcd import (
    AutoPipelineForImage2Image,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    make_image_grid,
    shapes,
)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes-sd15-lcm")), help="a folder or a hub id")
parser.add_argument("--prompt", default="a large red square on a white background")
parser.add_argument("--again", default="a large red circle on a white background", help="the prompt of image-to-image")
args = parser.parse_args()

pipe = LatentConsistencyModelPipeline.from_pretrained(args.model)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
first = pipe(args.prompt, num_inference_steps=4, guidance_scale=8.0, generator=np.random.Generator(np.random.PCG64(0)))
first = first[0][0]

second = AutoPipelineForImage2Image.from_pipe(pipe)(
    args.again,
    image=first,
    strength=0.75,
    num_inference_steps=8,
    guidance_scale=8.0,
    generator=np.random.Generator(np.random.PCG64(1)),
)[0][0]
make_image_grid([first, second], rows=1, cols=2).save("latent_consistency_model.png")
print("latent_consistency_model.png")
