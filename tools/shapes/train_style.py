"""Train a style LoRA: the shipped model then draws badges (mindone_tcd/shapes/styles.py).

    python tools/shapes/train_style.py --latents work/latents --out work/style

The loss is that of the teacher, on drawings in the new style. The captions name no style. The weights alternate between
those of the shipped UNet and those with each of its LoRAs. This needs a style in which the prompt determines the image:
the LoRAs predict one image, and the loss would turn it into the mean of many. With --own, the steps with a LoRA train
on own trajectories instead of noised drawings. The file has the keys of kohya, as most style LoRAs do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from own_trajectories import OwnTrajectories, training_batch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from frozen import LORAS, Frozen
from lora import FILE, kohya, read_lora
from lowrank import LowRank
from train_teacher import word
from training import Average, Run, cosine, scenes, train, training_options

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.styles import draw_badge

DROP_PROMPT = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHAPES_FOLDER, help="the folder of the frozen model")
    training_options(parser, steps=1200, batch=32, rate=1.5e-3)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--images", type=int, default=6144, help="the number of drawings")
    parser.add_argument("--init", type=Path, help="start from the LoRA in this folder")
    parser.add_argument("--own", type=int, default=0, help="train on this number of own trajectories for each LoRA")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = Frozen(args.model, device)
    lora = LowRank(frozen.unet, args.rank, read_lora(args.init, frozen.unet) if args.init else None).to(device)
    trained = list(lora.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"lora": lora, "optimizer": optimizer, "average": average}, every=200)

    rng = np.random.default_rng([args.seed, 24])
    drawn, file = scenes(args.images, rng, two=0.1), args.out / "drawings.npy"
    if not file.exists():
        parts = []
        for k in range(0, args.images, 64):
            pixels = torch.from_numpy(np.stack([draw_badge(scene, 128, rng) for scene in drawn[k : k + 64]]))
            x = (pixels.permute(0, 3, 1, 2) * 2 - 1).contiguous(memory_format=torch.channels_last).to(device)
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                parts.append(frozen.vae.encode(x).latent_dist.mean.float() * frozen.vae.config.scaling_factor)
        np.save(file, torch.cat(parts).half().cpu().numpy())
    latents = torch.from_numpy(np.load(file)).float()
    if len(latents) != len(drawn):
        raise SystemExit(f"{file} has {len(latents)} latents, not {len(drawn)}: delete it")
    print(f"{len(drawn)} drawings", flush=True)

    def predict(name, x, t, pick, keep, rng):
        """The prediction of v with a LoRA of the shipped model, for the drawings with the numbers ``pick``."""
        e, extra = frozen.encode([word(drawn[k], rng) for k in pick], keep)
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        weights = lora.added_to(frozen.weights(name))
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            condition = {"added_cond_kwargs": extra}
            return torch.func.functional_call(frozen.unet, weights, (x, t, e), condition).sample.float()

    own = None
    if args.own:
        rng = np.random.default_rng([args.seed, 32])
        own = OwnTrajectories(
            lambda name, x, t, pick: predict(name, x, t.to(device), pick, None, rng).cpu(), len(drawn), args.own, rng
        )
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        save_file(kohya(lora.layers(), args.rank), args.out / FILE)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 25, step])
        name = ("none", *LORAS)[step % 3]
        x, target, t, pick = training_batch(
            frozen, lambda k: latents[torch.from_numpy(k)], len(drawn), own, name, args.batch, rng
        )
        keep = torch.from_numpy((rng.random(args.batch) >= DROP_PROMPT).astype(np.float32)).to(device)
        v = predict(name, x, t, pick, keep, rng)
        return (v - target).square().mean()

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save)


if __name__ == "__main__":
    main()
