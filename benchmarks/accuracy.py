"""How often the shipped model draws what the prompt says, and how far its pictures are from real ones.

    python benchmarks/accuracy.py                        # MindSpore, the rows that a user meets
    python benchmarks/accuracy.py --backend torch --all  # diffusers on torch, every row: needs the [parity] extra

Prompts are of (shape, colour, background) combinations that training never saw. "right" is the share of pictures on
which shape, colour and background are all as asked; "distance" is the Fréchet distance of the judge's features to those
of real drawings. Both backends start from the same PCG64 noise, so their rows agree but for rounding.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from samplers import ALL, FEW, Row, Sampler, mindspore_sampler, streams, torch_sampler, unseen_scenes

from mindone_tcd.environment import versions
from mindone_tcd.pipelines.recipes import SHAPES_FOLDER
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene
from mindone_tcd.shapes.judge import features, frechet_distance, judge


def run(row: Row, sampler: Sampler, prompts: list[str], seed: int, batch: int) -> np.ndarray:
    out = []
    for k in range(0, len(prompts), batch):
        part = prompts[k : k + batch]
        out.append(sampler(row, part, streams(seed, k, len(part))))
    return np.concatenate(out)


def reconstructions(pictures: np.ndarray, folder: Path) -> np.ndarray:
    import torch
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    out = []
    with torch.no_grad():
        for part in torch.from_numpy(pictures).permute(0, 3, 1, 2).mul(2).sub(1).split(16):
            out.append(vae.decode(vae.encode(part).latent_dist.mean).sample.clamp(-1, 1))
    return torch.cat(out).add(1).div(2).permute(0, 2, 3, 1).numpy()


def report(name: str, pictures: np.ndarray, scenes: list[Scene], reference: np.ndarray, seconds: float) -> None:
    verdicts = [judge(picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]

    def share(part: str) -> str:
        values = [getattr(v, part) for v in verdicts if getattr(v, part) is not None]
        return f"{100 * np.mean(values):.1f}" if values else "–"

    away = frechet_distance(reference, np.array([features(p) for p in pictures]))
    parts = ("right", "shape", "colour", "background", "size", "position")
    print(f"| {name} | {' | '.join(share(p) for p in parts)} | {away:.1f} | {seconds:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("mindspore", "torch"), default="mindspore")
    parser.add_argument("--all", action="store_true", help="every row, not only the two LoRAs at 4 steps")
    parser.add_argument("--only", help="only the rows whose name holds this text")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--two", type=float, default=0.0, help="share of prompts with two objects")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--folder", type=Path, default=SHAPES_FOLDER)
    parser.add_argument("--grid", type=Path, help="a folder for a sheet of each row's first 32 pictures")
    args = parser.parse_args()

    scenes, prompts = unseen_scenes(args.prompts, args.two, seed=31337)
    rng = np.random.default_rng(0)
    real = np.stack([draw(s, 128, rng) for s in scenes])
    reference = np.array([features(draw(s, 128, rng)) for s in unseen_scenes(max(1024, args.prompts), args.two, 1)[0]])
    print(f"{args.prompts} prompts, {args.backend}; {versions()}\n")
    print("| | right | shape | colour | background | size | position | distance | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    report("real drawings", real, scenes, reference, 0)
    if args.backend == "torch":
        report("autoencoder's reconstructions", reconstructions(real, args.folder), scenes, reference, 0)
        sampler = torch_sampler(args.folder)
    else:
        sampler = mindspore_sampler()
    for row in ALL if args.all or args.only else FEW:
        if args.only and args.only not in row.name:
            continue
        for seed in args.seeds:
            start = time.perf_counter()
            pictures = run(row, sampler, prompts, seed, args.batch)
            report(f"{row.name}, seed {seed}", pictures, scenes, reference, time.perf_counter() - start)
            if args.grid:
                save_sheet(pictures[:32], args.grid / f"{row.name}, seed {seed}.png".replace(" ", "-"))


def save_sheet(pictures: np.ndarray, path: Path) -> None:
    from PIL import Image

    from mindone_tcd.pipelines.picture import grid, save_plain

    path.parent.mkdir(parents=True, exist_ok=True)
    save_plain(grid([Image.fromarray((p * 255).round().astype(np.uint8)) for p in pictures], columns=8), path)


if __name__ == "__main__":
    main()
