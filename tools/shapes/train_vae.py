"""Train the autoencoder of the shapes model: 128×128 images to 16×16×4 latents and back.

    python tools/shapes/train_vae.py --out work/vae                       # encoder and decoder, on crops at edges
    python tools/shapes/train_vae.py --out work/vae2 --decoder-of work/vae  # only the decoder, on whole images

The log-variance of the latents is a constant -5. A learned log-variance trains more slowly and has no advantage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from training import Average, Run, cosine, images, scenes

CHANNELS = (16, 32, 64, 96)
LOG_VARIANCE = -5.0


def new_vae() -> AutoencoderKL:
    vae = AutoencoderKL(
        block_out_channels=CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        mid_block_add_attention=False,
        sample_size=128,
        force_upcast=False,
    )
    with torch.no_grad():
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = LOG_VARIANCE
    mask = torch.tensor([1.0] * 4 + [0.0] * 4)
    vae.quant_conv.weight.register_hook(lambda g: g * mask[:, None, None, None])
    vae.quant_conv.bias.register_hook(lambda g: g * mask)
    return vae


@torch.no_grad()
def scale_latents(vae: AutoencoderKL, x: torch.Tensor) -> None:
    """Scale new latents to mean 0 and deviation 1 for each channel, because training does not scale up small
    latents."""
    z = vae.encode(x).latent_dist.mean
    mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
    vae.quant_conv.bias[:4] = (vae.quant_conv.bias[:4] - mean) / std
    vae.quant_conv.weight[:4] /= std[:, None, None, None]


def crops(x: torch.Tensor, what: list, rng: np.random.Generator, size: int = 64) -> torch.Tensor:
    """One window of each image, with its center near the edge of an object."""
    full = x.shape[-1]
    out = []
    for image, scene in zip(x, what, strict=True):
        thing = scene.things[rng.integers(len(scene.things))]
        angle = rng.uniform(0, 2 * np.pi)
        reach = thing.radius * rng.uniform(0.3, 1.2)
        cx, cy = thing.x + reach * np.cos(angle), thing.y + reach * np.sin(angle)
        left, top = (int(np.clip((c + 1) / 2 * full - size / 2, 0, full - size)) for c in (cx, cy))
        out.append(image[:, top : top + size, left : left + size])
    return torch.stack(out)


def slopes(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return a[..., 1:, :] - a[..., :-1, :], a[..., :, 1:] - a[..., :, :-1]


def reconstruction_loss(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    edges = sum((a - b).abs().mean() for a, b in zip(slopes(y), slopes(x), strict=True))
    return (y - x).abs().mean() + (y - x).square().mean() + 0.5 * edges


def decibels(y: torch.Tensor, x: torch.Tensor) -> float:
    return float(10 * torch.log10(4 / (y - x).square().mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--decoder-of", help="freeze this autoencoder's encoder and train only its decoder")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    vae = AutoencoderKL.from_pretrained(args.decoder_of) if args.decoder_of else new_vae()
    vae.to(memory_format=torch.channels_last).train()
    if args.decoder_of:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    trained = [p for p in vae.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, 0.998)
    run = Run(args.out, {"vae": vae, "optimizer": optimizer, "average": average})
    spread = float(np.exp(LOG_VARIANCE / 2))
    if not args.decoder_of and run.first == 0:
        rng = np.random.default_rng([args.seed, 10**8])
        what = scenes(args.batch, rng)
        scale_latents(vae, crops(images(what, rng), what, rng))

    def forward(x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = vae.quant_conv(vae.encoder(x))[:, :4]
        return mean, vae.decode(mean + spread * noise).sample

    small = 64 if not args.decoder_of else 128
    for step in range(run.first, args.steps):
        rng = np.random.default_rng([args.seed, step])
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, args.steps, args.rate, flat=0.3)
        what = scenes(args.batch, rng, two=0.3)
        x = images(what, rng)
        if not args.decoder_of:
            x = crops(x, what, rng)
        x = x.contiguous(memory_format=torch.channels_last)
        noise = torch.from_numpy(rng.standard_normal((args.batch, 4, small // 8, small // 8), np.float32))
        if not args.decoder_of:
            noise *= min(1.0, step / 500)
        with torch.autocast("cpu", torch.bfloat16):
            mean, y = forward(x, noise)
        mean, y = mean.float(), y.float()
        loss = reconstruction_loss(y, x) + 1e-3 * 0.5 * mean.square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update(step)
        run.log(step, loss.item(), f"{decibels(y.detach(), x):.1f} dB, latent std {mean.std().item():.2f}")

    run.save(args.steps)
    average.swap()
    vae.eval()
    rng = np.random.default_rng([args.seed, 10**9])
    x = images(scenes(256, rng), rng)
    with torch.no_grad():
        z = torch.cat([vae.encode(part).latent_dist.mean for part in x.split(32)])
        y = torch.cat([vae.decode(part).sample.clamp(-1, 1) for part in z.split(32)])
    if not args.decoder_of:
        vae.register_to_config(scaling_factor=round(1 / float(z.std()), 4))
    vae.save_pretrained(args.out)
    print(f"done: {decibels(y, x):.2f} dB on 256 images, latent std {z.std():.3f}, mean {z.mean((0, 2, 3))}")


if __name__ == "__main__":
    main()
