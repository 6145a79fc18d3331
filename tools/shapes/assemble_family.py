"""Write trained parts into the shipped folder of the family: fp16 safetensors under the published files' names.

python tools/shapes/assemble_family.py --part controlnet_canny=work/controlnet_canny --part style_badge=work/style
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lora import FILE as LORA_FILE
from lowrank import FILE as DIFFERENCE_FILE
from train_ip_adapter import ADAPTER, ENCODER, FOLDER

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.models import FAMILY_FOLDER

BUDGET = 64e6
"""Bytes of all weights in the package."""

NETWORK = ("config.json", "diffusion_pytorch_model.safetensors")
FILES: dict[str, tuple[str, ...]] = {
    "controlnet_canny": NETWORK,
    "controlnet_depth": NETWORK,
    "t2i_canny": NETWORK,
    "inpainting": ("config.json", DIFFERENCE_FILE),
    "style_badge": (LORA_FILE,),
    "lcm_unet": ("config.json", DIFFERENCE_FILE),
    "tiny_vae": NETWORK,
    "sd15": (
        "model_index.json",
        "config.json",
        DIFFERENCE_FILE,
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        f"tcd_lora/{LORA_FILE}",
        f"lcm_lora/{LORA_FILE}",
    ),
    "controlnet_normal": NETWORK,
    "motion_adapter": NETWORK,
    "motion_zoom_in": (NETWORK[1],),
    "ip_adapter": (
        f"{FOLDER}/{ADAPTER}",
        f"{FOLDER}/{ENCODER}/config.json",
        f"{FOLDER}/{ENCODER}/model.safetensors",
    ),
}
"""The files of each part."""


def copy(source: Path, target: Path) -> None:
    """Copy a file: weights in float16, a configuration without the path it was loaded from."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".json":
        config = json.loads(source.read_text())
        config.pop("_name_or_path", None)
        if config.get("_class_name") == "AutoencoderTiny":
            config.pop("block_out_channels")  # its class computes this field, and warns of it in a file
        target.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        return
    tensors = load_file(source)
    # diffusers reads the position embeddings of motion modules from the file. mindone computes them, in float32.
    halves = {
        name: v.half().contiguous() if v.is_floating_point() and not name.endswith(".pos_embed.pe") else v
        for name, v in tensors.items()
    }
    wrong = [name for name, v in halves.items() if not torch.isfinite(v).all()]
    if wrong:
        raise SystemExit(f"{source}: {wrong[0]} is not finite in float16")
    save_file(halves, target, metadata={"format": "pt"})
    target.chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", default=[], help=f"NAME=FOLDER; the names: {', '.join(FILES)}")
    parser.add_argument("--out", type=Path, default=FAMILY_FOLDER)
    args = parser.parse_args()
    for entry in args.part:
        name, _, folder = entry.partition("=")
        if name not in FILES or not folder:
            parser.error(f"--part {entry}: write NAME=FOLDER with one of the names {', '.join(FILES)}")
        shutil.rmtree(args.out / name, ignore_errors=True)
        for file in FILES[name]:
            copy(Path(folder) / file, args.out / name / file)
        size = sum(path.stat().st_size for path in (args.out / name).rglob("*") if path.is_file())
        print(f"{name}: {size / 1e6:.2f} MB")
    size = sum(path.stat().st_size for root in (SHAPES_FOLDER, args.out) for path in root.rglob("*.safetensors"))
    print(f"all weights: {size / 1e6:.1f} MB")
    if size > BUDGET:
        sys.exit(f"too large to ship: {size / 1e6:.1f} MB, at most {BUDGET / 1e6:.0f}")


if __name__ == "__main__":
    main()
