"""Assemble the shipped folder from the trained parts: SDXL's layout, fp16 safetensors.

python tools/shapes/assemble.py --vae work/vae2 --teacher work/teacher --lora tcd=work/tcd_lora --lora lcm=work/lcm_lora
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from family import SCHEDULE
from lora import FILE as LORA_FILE

from mindone_tcd.shapes.folder import SHAPES_FOLDER

BUDGET = 24e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--teacher", required=True, type=Path)
    parser.add_argument("--lora", action="append", default=[], help="METHOD=FOLDER, for each LoRA")
    parser.add_argument("--out", type=Path, default=SHAPES_FOLDER)
    args = parser.parse_args()

    pipe = StableDiffusionXLPipeline(
        vae=AutoencoderKL.from_pretrained(args.vae),
        text_encoder=CLIPTextModel.from_pretrained(args.teacher / "text_encoder"),
        text_encoder_2=CLIPTextModelWithProjection.from_pretrained(args.teacher / "text_encoder_2"),
        tokenizer=CLIPTokenizer.from_pretrained(args.teacher / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(args.teacher / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(args.teacher / "unet"),
        scheduler=DDIMScheduler(**SCHEDULE),
        add_watermarker=False,
    )
    if args.out.exists():
        shutil.rmtree(args.out)
    pipe.to(torch.float16).save_pretrained(args.out, safe_serialization=True)
    for path in args.out.rglob("config.json"):
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for entry in args.lora:
        method, _, folder = entry.partition("=")
        target = args.out / f"{method}_lora"
        target.mkdir()
        shutil.copyfile(Path(folder) / LORA_FILE, target / LORA_FILE)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {size / 1e6:.1f} MB")
    if size > BUDGET:
        sys.exit(f"too large to ship: {size / 1e6:.1f} MB, at most {BUDGET / 1e6:.0f}")


if __name__ == "__main__":
    main()
