"""Measure each part of the family of the shipped model, beside the same call without the part.

    python benchmarks/family.py                                     # MindSpore, every part
    python benchmarks/family.py --part controlnet_canny --grid out  # one part, with contact sheets
    python benchmarks/family.py --backend torch                     # diffusers on torch: needs the [parity] extra

The cases are scenes with (shape, color, background) combinations that training never saw. Numbers are percentages, if
the column names no unit. "right" counts images whose shape, color and background match the prompt at an overlap of 0.9.
"IoU" is the intersection over union of the objects' mask with that of the drawing. Both backends use the same noise.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image
from samplers import LORA_FILE, streams

from mindone_tcd.environment import versions
from mindone_tcd.errors import UsageError
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import Scene, caption, random_scene
from mindone_tcd.shapes.judge import STRICT_OVERLAP, cut_out, judge

FAMILY_FOLDER = SHAPES_FOLDER.parent / "family"
TOOLS = Path(__file__).resolve().parents[1] / "tools"
STEPS = 4
MOST_CASES = 4096
SCHEDULERS = {"tcd": "TCDScheduler", "lcm": "LCMScheduler"}


@dataclass
class Row:
    """The results of one call.

    Attributes:
        title: how the call was made.
        numbers: the measures, by column.
        images: the generated images, (N, H, H, 3) in [0, 1].
    """

    title: str
    numbers: dict[str, float]
    images: np.ndarray


@dataclass
class Sheet:
    """The columns of a contact sheet: the input, and the images of some rows."""

    inputs: list[np.ndarray] = field(default_factory=list)


def tool(name: str) -> ModuleType:
    """A module of tools/shapes, whose name may be the same as that of a benchmark."""
    path = TOOLS / "shapes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"shapes_tools_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TorchBackend:
    """The pipelines of diffusers on torch, with the noise of NumPy generators."""

    def __init__(self, family: Path) -> None:
        import diffusers
        import torch

        sys.path.insert(0, str(TOOLS / "reference"))
        from replayed_noise import numpy_streams

        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        self.library, self.framework, self.family, self._streams = diffusers, torch, family, numpy_streams

    def pipeline(self, name: str, scheduler: str, **parts: Any) -> Any:
        """A pipeline of the shipped weights with other parts, and with the LoRA of a scheduler."""
        pipe = getattr(self.library, name).from_pretrained(
            SHAPES_FOLDER, torch_dtype=self.framework.float32, use_safetensors=True, add_watermarker=False, **parts
        )
        self.schedule(pipe, scheduler)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def schedule(self, pipe: Any, scheduler: str) -> None:
        pipe.scheduler = getattr(self.library, SCHEDULERS[scheduler]).from_config(pipe.scheduler.config)

    def controlnet(self, part: str) -> Any:
        return tool("family").load_controlnet(self.family / part).eval()

    def adapter(self, part: str) -> Any:
        return self.library.T2IAdapter.from_pretrained(self.family / part).float().eval()

    def call(self, pipe: Any, generators: list[np.random.Generator], **options: Any) -> np.ndarray:
        """The images of a call, (N, H, H, 3) in [0, 1]."""
        with self._streams(), self.framework.no_grad():
            return pipe(generator=generators, output_type="np", **options).images


class Bench:
    """Samples the images of all cases, in batches."""

    def __init__(self, backend: Any, cases: int, seed: int, batch: int) -> None:
        self.backend, self.cases, self.seed, self.batch = backend, cases, seed, batch

    def images(self, pipe: Any, each: dict[str, list], **options: Any) -> tuple[np.ndarray, float]:
        """Call a pipeline for all cases; return the images and the seconds.

        Args:
            pipe: the pipeline.
            each: arguments with one value for each case.
            options: arguments with one value for all.
        """
        options = {"num_inference_steps": STEPS, "guidance_scale": 0.0} | options
        if type(pipe.scheduler).__name__ == SCHEDULERS["tcd"]:
            options.setdefault("eta", 0.3)
        out, start = [], time.perf_counter()
        for k in range(0, self.cases, self.batch):
            some = {name: values[k : k + self.batch] for name, values in each.items()}
            generators = streams(self.seed, k, len(some["prompt"]))
            out.append(self.backend.call(pipe, generators, **some, **options))
        return np.concatenate(out), time.perf_counter() - start

    def scenes(self, number: int, two: float = 0.0) -> list[Scene]:
        """Random scenes of unseen combinations; their number keeps those of the parts apart."""
        rng = np.random.default_rng([31337, number])
        return [random_scene(rng, two, unseen=True) for _ in range(self.cases)]

    def with_lora(self, pipe: Any, method: str) -> Any:
        pipe.load_lora_weights(str(SHAPES_FOLDER / f"{method}_lora"), weight_name=LORA_FILE)
        return pipe


def plain(scene: Scene) -> Scene:
    """The scene without size and position words, so that its caption names neither."""
    return replace(scene, size=None, position=None)


def drawings(scenes: list[Scene], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 7])
    return np.stack([draw(scene, 128, rng) for scene in scenes])


def eight_bit(image: np.ndarray) -> np.ndarray:
    return (np.asarray(image) * 255).round().clip(0, 255).astype(np.uint8)


def mask_of(image: np.ndarray) -> np.ndarray:
    """The pixels of all things in an image, (H, H) bool."""
    found = [cut.mask for cut in cut_out(np.asarray(image, np.float32))[2]]
    return np.any(found, axis=0) if found else np.zeros(image.shape[:2], bool)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b)))


def percent(values: list[bool] | np.ndarray) -> float:
    return 100 * float(np.mean(values))


def control_row(title: str, images: np.ndarray, scenes: list[Scene], drawn: np.ndarray, seconds: float) -> Row:
    overlap = np.array([iou(mask_of(a), mask_of(b)) for a, b in zip(images, drawn, strict=True)])
    verdicts = [judge(image, plain(scene)) for image, scene in zip(images, scenes, strict=True)]
    numbers = {
        "IoU ≥ 0.9": percent(overlap >= 0.9),
        "IoU ≥ 0.85": percent(overlap >= 0.85),
        "mean IoU": 100 * float(overlap.mean()),
        "colors": percent([v.colour and v.background for v in verdicts]),
        "right": percent([v.right_at(STRICT_OVERLAP) for v in verdicts]),
        "seconds": seconds,
    }
    return Row(title, numbers, images)


def control(bench: Bench, part: str, sheet: Sheet) -> Iterator[Row]:
    """ControlNets and T2I-Adapters: the map determines the places, the prompt the colors."""
    network, kind = part.split("_")
    make = {"canny": maps.edges, "depth": maps.depth}[kind]
    scenes = bench.scenes(1)
    drawn = drawings(scenes, 1)
    hints = [Image.fromarray(make(eight_bit(image))) for image in drawn]
    sheet.inputs += [np.stack([np.asarray(hint, np.float32) / 255 for hint in hints])]
    prompts = {"prompt": [caption(plain(scene)) for scene in scenes]}
    if network == "controlnet":
        name, parts = "StableDiffusionXLControlNetPipeline", {"controlnet": bench.backend.controlnet(part)}
        scale = "controlnet_conditioning_scale"
    else:
        name, parts = "StableDiffusionXLAdapterPipeline", {"adapter": bench.backend.adapter(part)}
        scale = "adapter_conditioning_scale"
    for method in ("tcd", "lcm"):
        # The text-to-image pipeline has the same call without the part.
        pipe = bench.with_lora(bench.backend.pipeline("StableDiffusionXLPipeline", method), method)
        yield control_row(f"{method.upper()}-LoRA, without", *spread(bench.images(pipe, prompts), scenes, drawn))
        pipe = bench.with_lora(bench.backend.pipeline(name, method, **parts), method)
        for strength in (1.0, 0.5):
            found = bench.images(pipe, prompts | {"image": hints}, **{scale: strength})
            title = f"{method.upper()}-LoRA, with, scale {strength:g}"
            yield control_row(title, *spread(found, scenes, drawn))


def spread(found: tuple[np.ndarray, float], scenes: list[Scene], drawn: np.ndarray) -> tuple:
    images, seconds = found
    return images, scenes, drawn, seconds


PARTS: dict[str, Callable[[Bench, str, Sheet], Iterator[Row]]] = {
    "controlnet_canny": control,
    "controlnet_depth": control,
    "t2i_canny": control,
}


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("mindspore", "torch"), default="mindspore")
    parser.add_argument("--part", action="append", choices=tuple(PARTS), help="only this part; may be repeated")
    parser.add_argument("--cases", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--folder", type=Path, default=FAMILY_FOLDER, help="the folder of the parts")
    parser.add_argument("--threads", type=int, help="torch: the number of threads")
    parser.add_argument("--grid", type=Path, help="a folder for a contact sheet of each part")
    parser.add_argument("--json", type=Path, help="a file for all numbers")
    return parser


def save_sheet(sheet: Sheet, rows: list[Row], path: Path, columns: int = 12) -> None:
    """The first cases as a PNG: one line for each input, then one for each row of results."""
    lines = [*sheet.inputs, *(row.images for row in rows)]
    pixels = np.concatenate([np.concatenate(list(line[:columns]), axis=1) for line in lines])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(eight_bit(pixels)).save(path)


def check(args: argparse.Namespace) -> None:
    """Check all arguments before sampling.

    Raises:
        UsageError: for numbers out of range, and for a file or folder that does not exist or cannot be written.
    """
    if not 2 <= args.cases <= MOST_CASES:
        raise UsageError(f"--cases is {args.cases}; choose a number from 2 to {MOST_CASES}")
    if args.batch < 1:
        raise UsageError(f"--batch is {args.batch}; choose 1 or more")
    if args.seed < 0:
        raise UsageError(f"--seed is {args.seed}; choose 0 or more")
    if args.json and (args.json.is_dir() or not args.json.parent.is_dir()):
        raise UsageError(f"cannot write {args.json}: give the name of a file in a folder that exists")
    if args.grid and args.grid.exists() and not args.grid.is_dir():
        raise UsageError(f"cannot write into {args.grid}: it is a file; give the name of a folder")
    for part in args.part or PARTS:
        if not (args.folder / part).is_dir():
            raise UsageError(f"{args.folder} has no folder {part}; give the folder of the parts with --folder")


def main(arguments: list[str] | None = None) -> None:
    parser = options()
    args = parser.parse_args(arguments)
    try:
        check(args)
    except UsageError as error:
        parser.error(str(error))

    backend = {"torch": TorchBackend}[args.backend](args.folder)
    if args.threads and args.backend == "torch":
        backend.framework.set_num_threads(args.threads)
    bench = Bench(backend, args.cases, args.seed, args.batch)
    print(f"{args.cases} cases, seed {args.seed}, {args.backend}; {versions()}")
    kept: dict[str, Any] = {}
    for part in args.part or PARTS:
        sheet, rows = Sheet(), []
        for row in PARTS[part](bench, part, sheet):
            if not rows:
                print(f"\n| {part} | " + " | ".join(row.numbers) + " |\n" + "|---" * (len(row.numbers) + 1) + "|")
            rows.append(row)
            print(f"| {row.title} | " + " | ".join(f"{value:.1f}" for value in row.numbers.values()) + " |", flush=True)
        kept[part] = [{"row": row.title, **row.numbers} for row in rows]
        if args.grid:
            save_sheet(sheet, rows, args.grid / f"{part}.png")
        if args.json:
            facts = {"backend": args.backend, "cases": args.cases, "seed": args.seed, "versions": versions()}
            text = json.dumps({**facts, "parts": kept}, indent=2, ensure_ascii=False)
            args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
