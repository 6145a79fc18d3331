"""Generate an image that follows the surface normals of another image: ControlNet with SD 1.5 and an LCM-LoRA.

    python examples/controlnet_normal.py
    python examples/controlnet_normal.py --dpt tiny
    python examples/controlnet_normal.py --model stable-diffusion-v1-5/stable-diffusion-v1-5 \\
        --lora latent-consistency/lcm-lora-sdv1-5 --controlnet lllyasviel/control_v11p_sd15_normalbae \\
        --dpt Intel/dpt-hybrid-midas --image photo.png --prompt "a marble bust in a garden, soft light"

Without --model, the script uses the shapes models, which ship in the package. Their normals are those of the drawing.
With --dpt, DPT estimates depths, and the normals are those of the depths. No small model can estimate depths: "tiny"
makes a random one, whose normals mean nothing.
"""

import argparse

import mindspore as ms
import numpy as np
from PIL import Image

from mindone_tcd import (
    ControlNetModel,
    DPTForDepthEstimation,
    DPTImageProcessor,
    LCMScheduler,
    StableDiffusionControlNetPipeline,
    load_image,
    make_image_grid,
    shapes,
)
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default=str(shapes.model("shapes-sd15")), help="a folder or a hub id")
parser.add_argument("--lora", default=str(shapes.model("sd15-lcm-lora")), help="a folder or a hub id")
parser.add_argument("--controlnet", default=str(shapes.model("controlnet-normal")), help="a folder or a hub id")
parser.add_argument("--dpt", help="a folder or a hub id, or 'tiny' for a tiny random model (default: the drawing's)")
parser.add_argument("--image", help="the image that provides the normals: a file or a URL (default: a drawing)")
parser.add_argument("--prompt", default="a yellow heart on a purple background")
args = parser.parse_args()


def normals_by(estimator: str, source: Image.Image) -> np.ndarray:
    """The normals of the depths that DPT estimates, uint8 RGB (H, W, 3)."""
    pixels = DPTImageProcessor.from_pretrained(estimator)(images=source, return_tensors="np")["pixel_values"]
    near = DPTForDepthEstimation.from_pretrained(estimator)(ms.Tensor(pixels))[0].asnumpy()[0]
    near = (near - near.min()) / max(float(np.ptp(near)), 1e-6)
    near = np.array(Image.fromarray(near).resize(source.size, Image.Resampling.BICUBIC))
    # The assumed depth of the scene is a quarter of the image's height.
    return maps.normals_of(near * source.height / 4)


if args.image:
    source = load_image(args.image)
else:
    drawing = draw(Scene("blue", (Thing("heart", "white", 0.2, -0.1, 0.6),)), 128)
    source = Image.fromarray((drawing * 255).astype(np.uint8))
if args.dpt:
    normals = normals_by(make_temporary("dpt-hybrid") if args.dpt == "tiny" else args.dpt, source)
else:
    normals = maps.normals(np.array(source))
normals = Image.fromarray(normals)

pipe = StableDiffusionControlNetPipeline.from_pretrained(
    args.model, controlnet=ControlNetModel.from_pretrained(args.controlnet)
)
pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora)

image = pipe(
    args.prompt,
    image=normals,
    num_inference_steps=4,
    guidance_scale=1.0,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
make_image_grid([source.resize(image.size), normals.resize(image.size), image], rows=1, cols=3).save(
    "controlnet_normal.png"
)
print("controlnet_normal.png")
