"""Generate a short clip from a prompt: AnimateDiff with a motion adapter, a TCD-LoRA and a motion LoRA.

    python examples/animatediff.py
    python examples/animatediff.py --prompt "a white star on a blue background" --motion-lora zoom-in
    python examples/animatediff.py --model frankjoshua/toonyou_beta6 --lora h1t/TCD-SD15-LoRA \\
        --motion guoyww/animatediff-motion-adapter-v1-5 --motion-lora guoyww/animatediff-motion-lora-zoom-in \\
        --prompt "waves on a pebble beach, evening light"

Without --model, the script uses the shapes models, which ship in the package. Their motion LoRA is for prompts without
a direction.
"""

import argparse

import numpy as np

from mindone_tcd import AnimateDiffPipeline, MotionAdapter, TCDScheduler, export_to_gif, shapes

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--model", default=str(shapes.model("shapes-sd15")), help="a folder or a hub id, in SD 1.5's layout"
)
parser.add_argument("--lora", default=str(shapes.model("sd15-tcd-lora")), help="a folder or a hub id")
parser.add_argument("--motion", default=str(shapes.model("motion-adapter")), help="the motion adapter")
parser.add_argument("--motion-lora", help="a folder, a hub id, or zoom-in for the shapes model (default: none)")
parser.add_argument("--prompt", default="a red circle moving right on a blue background")
parser.add_argument("--frames", type=int, default=16)
args = parser.parse_args()

adapter = MotionAdapter.from_pretrained(args.motion)
pipe = AnimateDiffPipeline.from_pretrained(args.model, motion_adapter=adapter)
pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(args.lora, adapter_name="tcd")
if args.motion_lora:
    shipped = shapes.model("motion-zoom-in") if args.motion_lora == "zoom-in" else None
    pipe.load_lora_weights(str(shipped or args.motion_lora), adapter_name="motion")
    pipe.set_adapters(["tcd", "motion"], adapter_weights=[1.0, 1.0])

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
