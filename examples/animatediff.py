"""Generate a short video from a prompt: AnimateDiff with a motion adapter, a TCD-LoRA and a motion LoRA.

    python examples/animatediff.py
    python examples/animatediff.py --model frankjoshua/toonyou_beta6 --lora h1t/TCD-SD15-LoRA \\
        --motion guoyww/animatediff-motion-adapter-v1-5 --motion-lora guoyww/animatediff-motion-lora-zoom-in
"""

import argparse

import numpy as np

from mindone_tcd import AnimateDiffPipeline, MotionAdapter, TCDScheduler, export_to_gif
from mindone_tcd.tiny_models import make_temporary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", help="a folder or a hub id, Stable Diffusion 1.5 (default: a tiny random model)")
parser.add_argument("--lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--motion", help="the motion adapter: a folder or a hub id (default: a tiny random model)")
parser.add_argument("--motion-lora", help="a folder or a hub id (default: a tiny random model)")
parser.add_argument("--prompt", default="waves on a pebble beach, evening light")
parser.add_argument("--frames", type=int, default=8)
args = parser.parse_args()

adapter = MotionAdapter.from_pretrained(args.motion or make_temporary("motion-adapter"))
pipe = AnimateDiffPipeline.from_pretrained(args.model or make_temporary("sd15"), motion_adapter=adapter)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora or make_temporary("lora-sd15"), adapter_name="tcd")
pipe.load_lora_weights(args.motion_lora or make_temporary("motion-lora"), adapter_name="motion")
pipe.set_adapters(["tcd", "motion"], adapter_weights=[1.0, 1.2])

frames = pipe(
    prompt=args.prompt,
    num_frames=args.frames,
    num_inference_steps=5,
    guidance_scale=0,
    eta=0.3,
    generator=np.random.Generator(np.random.PCG64(0)),
)[0][0]
export_to_gif(frames, "animatediff.gif")
print("animatediff.gif")
