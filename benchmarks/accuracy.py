"""How often the shipped model draws what the prompt says, and how far its pictures are from real ones.

    python benchmarks/accuracy.py                        # MindSpore, the rows that a user meets
    python benchmarks/accuracy.py --backend torch --all  # diffusers on torch, every row: needs the [parity] extra

Prompts are of (shape, colour, background) combinations that training never saw. "right" is the share of pictures on
which shape, colour and background are all as asked; "distance" is the Fréchet distance of the judge's features to those
of real drawings. Both backends start from the same PCG64 noise, so their rows agree but for rounding.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mindone_tcd.environment import versions
from mindone_tcd.pipelines.recipes import SHAPES_FOLDER
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, caption, random_scene
from mindone_tcd.shapes.judge import features, frechet_distance, judge

LORA_FILE = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class Row:
    """One way to sample: scheduler, LoRA, steps, guidance scale."""

    scheduler: str
    lora: bool
    steps: int
    guidance: float
    note: str = ""

    @property
    def name(self) -> str:
        lora = "LoRA" if self.lora else "no LoRA"
        return self.note or f"{self.scheduler.upper()}, {lora}, {self.steps} steps, guidance {self.guidance:g}"


FEW = [Row(method, True, 4, 0.0) for method in ("tcd", "lcm")]
TEACHER = Row("ddim", False, 50, 3.0, "teacher: DDIM, 50 steps, guidance 3")
CONTROLS = [Row(method, False, 4, guidance) for method in ("tcd", "lcm") for guidance in (0.0, 3.0)]
ALL = [
    TEACHER,
    Row("ddim", False, 4, 3.0),
    *[Row(method, True, steps, 0.0) for method in ("tcd", "lcm") for steps in (1, 2, 4, 8)],
    *CONTROLS,
]

Sampler = Callable[[Row, list[str], list[np.random.Generator]], np.ndarray]


def unseen_scenes(count: int, two: float, seed: int) -> tuple[list[Scene], list[str]]:
    """Distinct captions of held-out combinations, and their scenes."""
    rng = np.random.default_rng(seed)
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = random_scene(rng, two, unseen=True)
        say_size, say_position = rng.random(2) < 0.5
        asked = replace(scene, size=scene.size if say_size else None, position=scene.position if say_position else None)
        found.setdefault(caption(asked), asked)
    return list(found.values()), list(found)


def mindspore_sampler() -> Sampler:
    from mindone.diffusers import DDIMScheduler

    from mindone_tcd import load

    pipes: dict = {}

    def sample(row: Row, prompts: list[str], generators: list[np.random.Generator]) -> np.ndarray:
        key = (row.scheduler, row.lora)
        if key not in pipes:
            method = row.scheduler if row.scheduler != "ddim" else "tcd"
            pipes[key] = load(method=method, lora=None if row.lora else "none").pipeline
            if row.scheduler == "ddim":
                pipes[key].scheduler = DDIMScheduler.from_config(pipes[key].scheduler.config)
            pipes[key].set_progress_bar_config(disable=True)
        extra = {"eta": 0.3} if row.scheduler == "tcd" else {}
        return pipes[key](
            prompts,
            num_inference_steps=row.steps,
            guidance_scale=row.guidance,
            generator=generators,
            output_type="np",
            **extra,
        )[0]

    return sample


def torch_sampler(folder: Path) -> Sampler:
    import torch
    from diffusers import DDIMScheduler, LCMScheduler, StableDiffusionXLPipeline, TCDScheduler

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "reference"))
    from replayed_noise import numpy_streams, replayed

    classes = {"tcd": TCDScheduler, "lcm": LCMScheduler, "ddim": DDIMScheduler}
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    for method in ("tcd", "lcm"):
        pipe.load_lora_weights(str(folder / f"{method}_lora"), weight_name=LORA_FILE, adapter_name=method)

    def sample(row: Row, prompts: list[str], generators: list[np.random.Generator]) -> np.ndarray:
        pipe.scheduler = classes[row.scheduler].from_config(pipe.scheduler.config)
        if row.lora:
            pipe.enable_lora()
            pipe.set_adapters([row.scheduler])
        else:
            pipe.disable_lora()
        size = pipe.unet.config.sample_size
        latents = replayed((len(prompts), 4, size, size), generators)
        extra = {"eta": 0.3} if row.scheduler == "tcd" else {}
        with numpy_streams():
            return pipe(
                prompts,
                num_inference_steps=row.steps,
                guidance_scale=row.guidance,
                latents=latents,
                generator=generators if row.scheduler != "ddim" else None,
                output_type="np",
                **extra,
            ).images

    return sample


def run(row: Row, sampler: Sampler, prompts: list[str], seed: int, batch: int) -> np.ndarray:
    out = []
    for k in range(0, len(prompts), batch):
        part = prompts[k : k + batch]
        streams = [np.random.Generator(np.random.PCG64([seed, k + j])) for j in range(len(part))]
        out.append(sampler(row, part, streams))
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
