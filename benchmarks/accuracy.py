"""Measure how often the shipped model generates what the prompt says, how cleanly, and how close to real drawings.

    python benchmarks/accuracy.py                        # MindSpore, the rows for users
    python benchmarks/accuracy.py --backend torch --all  # diffusers on torch, every row: needs the [parity] extra
    python benchmarks/accuracy.py --quantize int8        # also each row with int8 weights, and the differences
    python benchmarks/accuracy.py --backend torch --problems --per-shape --prompts 96 --seeds 0 --only "TCD-LoRA, 4"

The prompts are of (shape, color, background) combinations that training never saw. All columns except the last two are
percentages. "right" counts images whose shape, color and background match the prompt, at an overlap with the ideal
shape of 0.8 and of 0.9. "clean" requires 0.9, no ghosts, no two-tone fills, and circles whose roundness is within 1 %
of that of a drawn circle. "ghosts" and "two-tone" count images that have them, "round" circles within 3 %. "distance"
is the Fréchet distance between the judge's features and those of real drawings. "seconds" is the time of the sampling.
Both backends start from the same PCG64 noise, so their rows agree up to rounding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from samplers import ALL, FEW, Row, Sampler, check_folder, mindspore_sampler, streams, torch_sampler, unseen_scenes

from mindone_tcd.environment import versions
from mindone_tcd.errors import UsageError
from mindone_tcd.quantize.kinds import KINDS
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import SHAPES, Scene
from mindone_tcd.shapes.judge import (
    MIN_OVERLAP,
    STRICT_OVERLAP,
    STRICT_ROUNDNESS,
    Verdict,
    features,
    frechet_distance,
    read_with_features,
    verdict_of,
)

MOST_PROMPTS = 4096
"""The grammar has about 7,000 captions of unseen combinations, and every prompt is a different one."""

PARTS: dict[str, Callable[[Verdict], bool | None]] = {
    "right": lambda v: v.right,
    "right at 0.9": lambda v: v.right_at(STRICT_OVERLAP),
    "clean": lambda v: v.clean,
    "shape": lambda v: v.shape,
    "color": lambda v: v.colour,
    "background": lambda v: v.background,
    "size": lambda v: v.size,
    "position": lambda v: v.position,
    "ghosts": lambda v: v.ghosts > 0,
    "two-tone": lambda v: v.two_tone,
    "round": lambda v: v.round,
}
"""The table's columns: whether an image has the property, or None if its prompt does not determine it."""

PROBLEMS: dict[str, Callable[[Verdict], bool | None]] = {
    "another shape or number": lambda v: v.overlap == 0,
    "overlap below 0.8": lambda v: 0 < v.overlap < MIN_OVERLAP,
    "overlap 0.8 to 0.9": lambda v: MIN_OVERLAP <= v.overlap < STRICT_OVERLAP,
    "color": lambda v: not v.colour,
    "background": lambda v: not v.background,
    "relation": lambda v: v.relation is False,
    "ghosts": lambda v: v.ghosts > 0,
    "two-tone": lambda v: v.two_tone,
    "lumpy circles": lambda v: None if v.roundness is None else v.roundness < STRICT_ROUNDNESS,
    "none": lambda v: v.clean,
}
"""The problems of an image; it can have several. The share of lumpy circles is relative to all circles."""


@dataclass(frozen=True)
class Result:
    """The judge's verdicts on the images of one row.

    Attributes:
        name: the name of the row.
        seed: the seed of the noise; None for rows without noise.
        scenes, verdicts: one for each image.
        distance: Fréchet distance to real drawings.
        seconds: the time of the sampling.
    """

    name: str
    seed: int | None
    scenes: list[Scene]
    verdicts: list[Verdict]
    distance: float
    seconds: float

    @property
    def title(self) -> str:
        return self.name if self.seed is None else f"{self.name}, seed {self.seed}"

    def share(self, part: Callable[[Verdict], bool | None]) -> float | None:
        """The share of images that have a property, in [0, 1]; None if no prompt determines it."""
        return mean([part(verdict) for verdict in self.verdicts])

    def per_shape(self) -> dict[str, float | None]:
        """The share of images that are right at 0.9, for each shape in the prompts."""
        pairs = list(zip(self.scenes, self.verdicts, strict=True))
        return {
            shape: mean([v.right_at(STRICT_OVERLAP) for s, v in pairs if any(t.shape == shape for t in s.things)])
            for shape in SHAPES
        }

    def numbers(self) -> dict:
        """The result for a JSON file; shares are in [0, 1]."""
        return {
            "row": self.name,
            "seed": self.seed,
            "images": len(self.verdicts),
            **{name: self.share(part) for name, part in PARTS.items()},
            "distance": self.distance,
            "seconds": self.seconds,
            "problems": {name: self.share(part) for name, part in PROBLEMS.items()},
            "right at 0.9 per shape": self.per_shape(),
        }


def mean(values: list[bool | None]) -> float | None:
    kept = [value for value in values if value is not None]
    return float(np.mean(kept)) if kept else None


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def run(row: Row, sampler: Sampler, prompts: list[str], seed: int, batch: int) -> np.ndarray:
    """The row's images, (N, H, H, 3) in [0, 1]."""
    out = []
    for k in range(0, len(prompts), batch):
        part = prompts[k : k + batch]
        out.append(sampler(row, part, streams(seed, k, len(part))))
    return np.concatenate(out)


def reconstructions(images: np.ndarray, folder: Path) -> np.ndarray:
    """The autoencoder's reconstructions of images, (N, H, H, 3) in [0, 1]."""
    import torch
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32, use_safetensors=True)
    out = []
    with torch.no_grad():
        for part in torch.from_numpy(images).permute(0, 3, 1, 2).mul(2).sub(1).split(16):
            out.append(vae.decode(vae.encode(part).latent_dist.mean).sample.clamp(-1, 1))
    return torch.cat(out).add(1).div(2).permute(0, 2, 3, 1).numpy()


def judged(
    name: str, seed: int | None, images: np.ndarray, scenes: list[Scene], reference: np.ndarray, seconds: float
) -> Result:
    """Judge a row's images. `reference` holds the features of real drawings, (M, 23)."""
    seen = [read_with_features(image) for image in images]
    verdicts = [verdict_of(reading, scene) for (reading, _), scene in zip(seen, scenes, strict=True)]
    return Result(name, seed, scenes, verdicts, frechet_distance(reference, np.array([f for _, f in seen])), seconds)


def table(first: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(first) + " |\n" + "|---" * len(first) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def chosen_rows(everything: bool, only: str | None) -> list[Row]:
    """The rows to sample. If no row's name contains `only`, it raises :class:`UsageError`."""
    rows = [row for row in (ALL if everything or only else FEW) if not only or only in row.name]
    if not rows:
        raise UsageError(f"no row's name holds {only!r}; there are: {'; '.join(row.name for row in ALL)}")
    return rows


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("mindspore", "torch"), default="mindspore")
    parser.add_argument("--quantize", choices=KINDS, help="also each row with a quantized UNet (MindSpore only)")
    parser.add_argument("--compile", action="store_true", help="run compiled graphs (MindSpore only)")
    parser.add_argument("--all", action="store_true", help="every row, not only the two LoRAs at 4 steps")
    parser.add_argument("--only", help="only the rows whose name contains this text")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--two", type=float, default=0.0, help="share of prompts with two objects")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--drawings", type=int, default=1024, help="the number of real drawings for the distance")
    parser.add_argument(
        "--folder",
        type=Path,
        default=SHAPES_FOLDER,
        help="weights in the layout of the shipped ones, as tools/shapes/assemble.py writes it",
    )
    parser.add_argument("--per-shape", action="store_true", help="also the share that is right at 0.9, for each shape")
    parser.add_argument("--problems", action="store_true", help="also the share of each problem")
    parser.add_argument("--grid", type=Path, help="a folder for a contact sheet of each row's first 32 images")
    parser.add_argument("--json", type=Path, help="a file for the numbers of all rows; it grows with each row")
    return parser


def check(args: argparse.Namespace) -> None:
    """Check all arguments before sampling.

    Raises:
        UsageError: for numbers out of range, a file or folder that cannot be written, and missing weights.
    """
    if not 2 <= args.prompts <= MOST_PROMPTS:
        raise UsageError(f"--prompts is {args.prompts}; choose a number from 2 to {MOST_PROMPTS}")
    if not 2 <= args.drawings <= MOST_PROMPTS:
        raise UsageError(f"--drawings is {args.drawings}; choose a number from 2 to {MOST_PROMPTS}")
    for option in ("quantize", "compile"):
        if getattr(args, option) and args.backend == "torch":
            raise UsageError(f"--{option} needs the backend mindspore; leave --backend out")
    if args.batch < 1:
        raise UsageError(f"--batch is {args.batch}; choose 1 or more")
    if not 0 <= args.two <= 1:
        raise UsageError(f"--two is {args.two}; choose a share from 0 to 1")
    if min(args.seeds) < 0:
        raise UsageError(f"--seeds has {min(args.seeds)}; choose 0 or more")
    if args.json and (args.json.is_dir() or not args.json.parent.is_dir()):
        raise UsageError(f"cannot write {args.json}: give the name of a file in a folder that exists")
    if args.grid and args.grid.exists() and not args.grid.is_dir():
        raise UsageError(f"cannot write into {args.grid}: it is a file; give the name of a folder")
    check_folder(args.folder, chosen_rows(args.all, args.only))


def main(arguments: list[str] | None = None) -> None:
    parser = options()
    args = parser.parse_args(arguments)
    try:
        check(args)
    except UsageError as error:
        parser.error(str(error))

    scenes, prompts = unseen_scenes(args.prompts, args.two, seed=31337)
    rng = np.random.default_rng(0)
    real = np.stack([draw(s, 128, rng) for s in scenes])
    others = unseen_scenes(max(args.drawings, args.prompts), args.two, 1)[0]
    reference = np.array([features(draw(s, 128, rng)) for s in others])
    print(f"{args.prompts} prompts, {args.backend}; {versions()}")
    table(["", *PARTS, "distance", "seconds"], [])
    results: list[Result] = []

    def report(name: str, seed: int | None, images: np.ndarray, seconds: float) -> None:
        result = judged(name, seed, images, scenes, reference, seconds)
        results.append(result)
        shares = [percent(result.share(part)) for part in PARTS.values()]
        print(f"| {result.title} | {' | '.join(shares)} | {result.distance:.1f} | {seconds:.0f} |", flush=True)
        if args.json:
            facts = {"backend": args.backend, "prompts": args.prompts, "two": args.two, "versions": versions()}
            text = json.dumps({**facts, "rows": [r.numbers() for r in results]}, indent=2, ensure_ascii=False)
            args.json.write_text(text + "\n", encoding="utf-8")

    report("real drawings", None, real, 0)
    if args.backend == "torch":
        start = time.perf_counter()
        again = reconstructions(real, args.folder)
        report("autoencoder's reconstructions", None, again, time.perf_counter() - start)
        sampler = torch_sampler(args.folder)
    else:
        sampler = mindspore_sampler(args.folder, args.compile)
    samplers = {"": sampler}
    if args.quantize:
        samplers[f", {args.quantize}"] = mindspore_sampler(args.folder, args.compile, args.quantize)
    differences = []
    for row in chosen_rows(args.all, args.only):
        for each in samplers.values():
            each.load(row)
        for seed in args.seeds:
            made = []
            for suffix, each in samplers.items():
                start = time.perf_counter()
                images = run(row, each, prompts, seed, args.batch)
                report(row.name + suffix, seed, images, time.perf_counter() - start)
                made.append(images)
                if args.grid:
                    save_sheet(images[:32], args.grid / sheet_name(results[-1].title))
            if args.quantize:
                apart = 255 * abs(made[1] - made[0])
                per_image = apart.reshape(len(apart), -1).mean(axis=1)
                cells = apart.mean(), np.median(per_image), np.quantile(per_image, 0.95), per_image.max()
                differences.append([results[-1].title, *(f"{cell:.3f}" for cell in cells)])
    if differences:
        table(["pixels from float32's, of 255", "mean", "median image", "95 % of images", "worst image"], differences)
    if args.per_shape:
        table(
            ["right at 0.9", *SHAPES],
            [[result.title, *(percent(share) for share in result.per_shape().values())] for result in results],
        )
    if args.problems:
        table(
            ["problems", *PROBLEMS],
            [[result.title, *(percent(result.share(part)) for part in PROBLEMS.values())] for result in results],
        )


def sheet_name(title: str) -> str:
    return title.replace(" ", "-").replace(":", "").replace(",", "") + ".png"


def save_sheet(images: np.ndarray, path: Path) -> None:
    """Images (N, H, W, 3) in [0, 1] as one PNG, 8 in a row, without a record."""
    from PIL import Image

    from mindone_tcd.generate.generated_image import GeneratedImage, grid

    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = grid([GeneratedImage(Image.fromarray((p * 255).round().astype(np.uint8)), {}) for p in images], columns=8)
    sheet.image.save(path)


if __name__ == "__main__":
    main()
