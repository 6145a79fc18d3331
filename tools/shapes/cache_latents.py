"""Draw the training images once and store their latents.

    python tools/shapes/cache_latents.py --vae work/vae --out work/latents --chunks 16

A chunk has 4,096 images (`--images`). Its number determines its scenes, so the captions need no file.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from training import images, scenes

from mindone_tcd.shapes.grammar import Scene

CHUNK = 4096


def chunk_scenes(number: int, count: int = CHUNK) -> list[Scene]:
    return scenes(count, np.random.default_rng([1, number]))


def load(folder: str | Path) -> tuple[torch.Tensor, list[Scene]]:
    """All latents (N, 4, 16, 16) in float32, already scaled, and their scenes."""
    paths = sorted(Path(folder).glob("*.npy"))
    chunks = [np.load(p) for p in paths]
    latents = torch.from_numpy(np.concatenate(chunks)).float()
    drawn = [chunk_scenes(int(p.stem), len(chunk)) for p, chunk in zip(paths, chunks, strict=True)]
    return latents, list(itertools.chain.from_iterable(drawn))


def main() -> None:
    from diffusers import AutoencoderKL

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--images", type=int, default=CHUNK, help="images of a chunk")
    parser.add_argument("--worker", type=int, default=0, help="the number of this process")
    parser.add_argument("--workers", type=int, default=1, help="the number of processes that share the chunks")
    args = parser.parse_args()
    torch.set_num_threads(1)
    vae = AutoencoderKL.from_pretrained(args.vae).eval().to(memory_format=torch.channels_last)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for number in range(args.worker, args.chunks, args.workers):
        path = out / f"{number:04d}.npy"
        if path.exists():
            continue
        rng = np.random.default_rng([2, number])
        drawn, parts = chunk_scenes(number, args.images), []
        for k in range(0, args.images, 64):
            x = images(drawn[k : k + 64], rng).contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                parts.append(vae.encode(x).latent_dist.mean.float() * vae.config.scaling_factor)
        np.save(path, torch.cat(parts).half().numpy())
        print(path, float(torch.cat(parts).std()), flush=True)


if __name__ == "__main__":
    main()
