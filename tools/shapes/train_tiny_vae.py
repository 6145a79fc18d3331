"""Train a tiny autoencoder (the layout of TAESD) for the latents of the shipped one: faster, with softer outlines.

    python tools/shapes/train_tiny_vae.py --latents work/latents --out work/tiny_vae

The decoder learns to draw from cached latents with a little noise, the encoder to compute these latents. The latents
are scaled, so the tiny autoencoder's own scaling factor is 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import chunk_scenes
from train_vae import decibels, reconstruction_loss
from training import Average, Run, cosine, train, training_options

from mindone_tcd.shapes.drawing import draw

CHANNELS = 16
ENCODER_BLOCKS, DECODER_BLOCKS = (1, 2, 3, 3), (6, 4, 2, 1)
NOISE = 0.06
"""Deviation of the noise on the latents, whose deviation is 1: about that of the shipped autoencoder's distribution."""
EVERY = 2
"""The encoder learns in every second step."""


def new_tiny_vae() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(CHANNELS,) * 4,
        decoder_block_out_channels=(CHANNELS,) * 4,
        num_encoder_blocks=ENCODER_BLOCKS,
        num_decoder_blocks=DECODER_BLOCKS,
        latent_channels=4,
        scaling_factor=1.0,
    )


def pairs(folder: Path, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first drawings that cache_latents.py encoded, (N, 3, 128, 128) uint8, and their latents."""
    drawn, latents = [], []
    left = count
    for path in sorted(folder.glob("*.npy")):
        stored = np.load(path)
        rng = np.random.default_rng([2, int(path.stem)])  # as there, for the same tints
        some = chunk_scenes(int(path.stem), len(stored))[:left]
        drawn.append(np.stack([(draw(scene, 128, rng) * 255).round().astype(np.uint8) for scene in some]))
        latents.append(stored[: len(some)])
        left -= len(some)
        if left == 0:
            break
    return torch.from_numpy(np.concatenate(drawn)).permute(0, 3, 1, 2), torch.from_numpy(np.concatenate(latents))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_options(parser, steps=2000, batch=16, rate=2e-3)
    parser.add_argument("--images", type=int, default=8192, help="the number of drawings")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    vae = new_tiny_vae().to(device, memory_format=torch.channels_last).train()
    trained = list(vae.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"vae": vae, "optimizer": optimizer, "average": average}, every=200)
    drawn, latents = pairs(args.latents, args.images)

    def save() -> None:
        vae.save_pretrained(args.out)

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        rng = np.random.default_rng([args.seed, 27, step])
        pick = torch.from_numpy(rng.integers(len(drawn), size=args.batch))
        x = (drawn[pick].float() / 127.5 - 1).to(device).contiguous(memory_format=torch.channels_last)
        z = latents[pick].float().to(device)
        noisy = z + NOISE * torch.from_numpy(rng.standard_normal(tuple(z.shape), np.float32)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            y = vae.decode(noisy.contiguous(memory_format=torch.channels_last)).sample
            found = vae.encode(x).latents if step % EVERY == 0 else None
        y = y.float()
        loss = reconstruction_loss(y, x)
        if found is not None:
            loss = loss + (found.float() - z).square().mean()
        return loss, f"{decibels(y.detach(), x):.1f} dB"

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, flat=0.3), loss_of, save)


if __name__ == "__main__":
    main()
