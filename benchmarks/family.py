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
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from samplers import LORA_FILE, streams, unseen_scenes

from mindone_tcd.environment import versions
from mindone_tcd.errors import UsageError
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.clips import MIN_GROWTH, judge_clip
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import DIRECTIONS, TOWARD, Scene, caption, moving, random_scene
from mindone_tcd.shapes.judge import STRICT_OVERLAP, Verdict, cut_out, judge, read
from mindone_tcd.shapes.models import FAMILY_FOLDER, unet_weights, write_pipeline
from mindone_tcd.shapes.styles import on_the_badge

TOOLS = Path(__file__).resolve().parents[1] / "tools"
STEPS = 4
MOST_CASES = 4096
WEIGHTS = "diffusion_pytorch_model.safetensors"
ROUNDS = 22
SCHEDULERS = {"tcd": "TCDScheduler", "lcm": "LCMScheduler", "ddim": "DDIMScheduler"}


@dataclass(frozen=True)
class Base:
    """A base model: the folder of its pipeline, and the folder of its LoRAs."""

    folder: Path
    loras: Path


BASE = Base(SHAPES_FOLDER, SHAPES_FOLDER)


@dataclass
class Row:
    """The results of one call.

    Attributes:
        title: how the call was made.
        numbers: the measures, by column; None where a measure does not apply.
        images: the generated images, (N, H, H, 3) in [0, 1].
    """

    title: str
    numbers: dict[str, float | None]
    images: np.ndarray


class TorchBackend:
    """The pipelines of diffusers on torch, with the noise of NumPy generators."""

    def __init__(self, threads: int | None) -> None:
        import diffusers
        import torch

        sys.path.insert(0, str(TOOLS / "reference"))
        from replayed_noise import numpy_streams

        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        if threads:
            torch.set_num_threads(threads)
        self.library, self.framework, self._streams = diffusers, torch, numpy_streams

    def pipeline(self, name: str, scheduler: str, lora: bool = True, base: Base = BASE, **parts: Any) -> Any:
        """A pipeline of a base model with other parts, and with the LoRA of a scheduler."""
        if "XL" in name:
            parts["add_watermarker"] = False
        pipe = getattr(self.library, name).from_pretrained(
            base.folder, torch_dtype=self.framework.float32, use_safetensors=True, **parts
        )
        return finished(pipe, self.library, scheduler, lora, base)

    def network(self, name: str, folder: Path) -> Any:
        """A network of a class in a folder, in float32."""
        if name == "ControlNetModel":
            # diffusers builds no ControlNet with a number of layers for each block.
            return tool("family").load_controlnet(folder).eval()
        return getattr(self.library, name).from_pretrained(folder, use_safetensors=True).float().eval()

    def call(self, pipe: Any, generators: list[np.random.Generator], **options: Any) -> np.ndarray:
        """The images of a call, (N, H, H, 3) in [0, 1]; or its clips, (N, F, H, H, 3)."""
        with self._streams(), self.framework.no_grad():
            return pipe(generator=generators, output_type="np", return_dict=False, **options)[0]

    def encode(self, vae: Any, pixels: np.ndarray) -> np.ndarray:
        """The latents of images, (N, 3, H, H) in [-1, 1], as the UNet reads them: scaled means."""
        with self.framework.no_grad():
            found = vae.encode(self.framework.from_numpy(pixels))
        latents = found.latents if hasattr(found, "latents") else found.latent_dist.mean
        return (latents * vae.config.scaling_factor).numpy()

    def decode(self, vae: Any, latents: np.ndarray) -> np.ndarray:
        """The images of scaled latents, (N, 3, H, H)."""
        with self.framework.no_grad():
            return vae.decode(self.framework.from_numpy(latents) / vae.config.scaling_factor).sample.numpy()

    def activate(self, pipe: Any, loras: list[str]) -> None:
        """Use several loaded LoRAs, each with the weight 1."""
        # The pipeline's set_adapters fails for a UNet with a number of layers for each block.
        pipe.unet.set_adapter(loras)

    def follow(self, pipe: Any, scale: float) -> None:
        """Give the IP-Adapter a scale."""
        # The pipeline's set_ip_adapter_scale fails for such a UNet, too.
        for processor in pipe.unet.attn_processors.values():
            if hasattr(processor, "scale"):
                processor.scale = [scale]


class MindSporeBackend:
    """The pipelines of mindone_tcd."""

    def __init__(self) -> None:
        import mindspore
        from mindone.diffusers.utils import logging

        import mindone_tcd

        logging.disable_progress_bar()
        self.library, self.framework = mindone_tcd, mindspore

    def pipeline(self, name: str, scheduler: str, lora: bool = True, base: Base = BASE, **parts: Any) -> Any:
        """A pipeline of a base model with other parts, and with the LoRA of a scheduler."""
        pipe = getattr(self.library, name).from_pretrained(base.folder, use_safetensors=True, **parts)
        return finished(pipe, self.library, scheduler, lora, base)

    def network(self, name: str, folder: Path) -> Any:
        """A network of a class in a folder, in float32."""
        return getattr(self.library, name).from_pretrained(folder, use_safetensors=True).set_train(False)

    def call(self, pipe: Any, generators: list[np.random.Generator], **options: Any) -> np.ndarray:
        """The images of a call, (N, H, H, 3) in [0, 1]; or its clips, (N, F, H, H, 3)."""
        return pipe(generator=generators, output_type="np", **options)[0]

    def encode(self, vae: Any, pixels: np.ndarray) -> np.ndarray:
        """The latents of images, (N, 3, H, H) in [-1, 1], as the UNet reads them: scaled means."""
        (found,) = vae.encode(self.framework.Tensor(pixels))
        latents = vae.diag_gauss_dist.mode(found) if hasattr(vae, "diag_gauss_dist") else found
        return latents.asnumpy() * vae.config.scaling_factor

    def decode(self, vae: Any, latents: np.ndarray) -> np.ndarray:
        """The images of scaled latents, (N, 3, H, H)."""
        scaled = np.asarray(latents / vae.config.scaling_factor, np.float32)
        return vae.decode(self.framework.Tensor(scaled))[0].asnumpy()

    def activate(self, pipe: Any, loras: list[str]) -> None:
        """Use several loaded LoRAs, each with the weight 1."""
        pipe.set_adapters(loras, [1.0] * len(loras))

    def follow(self, pipe: Any, scale: float) -> None:
        """Give the IP-Adapter a scale."""
        pipe.set_ip_adapter_scale(scale)


def finished(pipe: Any, library: Any, scheduler: str, lora: bool, base: Base) -> Any:
    """The pipeline with the scheduler, and with its LoRA."""
    pipe.scheduler = getattr(library, SCHEDULERS[scheduler]).from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    if lora:
        folder = str(base.loras / f"{scheduler}_lora")
        pipe.load_lora_weights(folder, weight_name=LORA_FILE, adapter_name=scheduler)
    return pipe


def tool(name: str) -> ModuleType:
    """A module of tools/shapes, whose name may be the same as that of a benchmark."""
    spec = importlib.util.spec_from_file_location(f"shapes_{name}", TOOLS / "shapes" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"tools/shapes has no {name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bench:
    """Samples the images of all cases, in batches.

    Attributes:
        inputs: the inputs of a part, for its contact sheet.
    """

    def __init__(self, backend: Any, cases: int, seed: int, batch: int) -> None:
        self.backend, self.cases, self.seed, self.batch = backend, cases, seed, batch
        self.inputs: list[np.ndarray] = []
        self.whole: tempfile.TemporaryDirectory | None = None

    def images(self, pipe: Any, each: dict[str, list], **options: Any) -> np.ndarray:
        """Call a pipeline for all cases.

        Args:
            pipe: the pipeline.
            each: arguments with one value for each case.
            options: arguments with one value for all.
        """
        options = {"num_inference_steps": STEPS, "guidance_scale": 0.0} | options
        if type(pipe.scheduler).__name__ == SCHEDULERS["tcd"]:
            options.setdefault("eta", 0.3)
        out = []
        for k in range(0, len(each["prompt"]), self.batch):
            some = {name: values[k : k + self.batch] for name, values in each.items()}
            if "ip_adapter_image" in some:  # the pipelines take one for all prompts
                (some["ip_adapter_image"],) = some["ip_adapter_image"]
            out.append(self.backend.call(pipe, streams(self.seed, k, len(some["prompt"])), **some, **options))
        return np.concatenate(out)

    def scenes(self, number: int, two: float = 0.0) -> list[Scene]:
        """Random scenes of unseen combinations; the number keeps those of the parts apart."""
        rng = np.random.default_rng([31337, number])
        return [random_scene(rng, two, unseen=True) for _ in range(self.cases)]


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


def overlaps(images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The intersection over union of the things' mask of each image with that of its drawing."""
    pairs = [(mask_of(a), mask_of(b)) for a, b in zip(images, drawn, strict=True)]
    return np.array([np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b)) for a, b in pairs])


def percent(values: Iterable[bool] | np.ndarray) -> float:
    return 100 * float(np.mean(list(values)))


def verdicts(images: Iterable[np.ndarray], scenes: list[Scene]) -> list[Verdict]:
    return [judge(image, plain(scene)) for image, scene in zip(images, scenes, strict=True)]


def right(found: list[Verdict]) -> dict[str, float | None]:
    """The shares of images that match their prompts, at two overlaps."""
    return {
        "right": percent(v.right_at(STRICT_OVERLAP) for v in found),
        "right at 0.8": percent(v.right for v in found),
    }


def accuracy_row(title: str, images: np.ndarray, scenes: list[Scene]) -> Row:
    """The shares of images that match their prompts, and of those without a fault."""
    found = verdicts(images, scenes)
    return Row(title, right(found) | {"clean": percent(v.clean for v in found)}, images)


def control(bench: Bench, folder: Path) -> Iterator[Row]:
    """ControlNets and T2I-Adapters: the map determines the places, the prompt the colors."""
    network, kind = folder.name.split("_")
    base = sibling(bench, folder) if kind in SIBLING_KINDS else BASE
    family = "StableDiffusion" if kind in SIBLING_KINDS else "StableDiffusionXL"
    scenes = bench.scenes(1)
    drawn = drawings(scenes, 1)
    make = {"canny": maps.edges, "depth": maps.depth, "normal": maps.normals}[kind]
    hints = [Image.fromarray(make(eight_bit(image))) for image in drawn]
    bench.inputs.append(np.stack([np.asarray(hint, np.float32) / 255 for hint in hints]))
    each = {"prompt": [caption(plain(scene)) for scene in scenes]}

    def row(title: str, images: np.ndarray) -> Row:
        overlap, found = overlaps(images, drawn), verdicts(images, scenes)
        numbers = {"IoU ≥ 0.9": percent(overlap >= 0.9), "IoU ≥ 0.85": percent(overlap >= 0.85)}
        numbers |= {"mean IoU": 100 * float(overlap.mean())}
        return Row(
            title, numbers | {"colors": percent(v.colour and v.background for v in found)} | right(found), images
        )

    vae = bench.backend.network("AutoencoderKL", SHAPES_FOLDER / "vae")
    yield row("the drawings through the VAE", reconstructed(bench, vae, drawn))
    if network == "controlnet":
        name, argument, scale = f"{family}ControlNetPipeline", "controlnet", "controlnet_conditioning_scale"
        part = bench.backend.network("ControlNetModel", folder)
    else:
        name, argument, scale = f"{family}AdapterPipeline", "adapter", "adapter_conditioning_scale"
        part = bench.backend.network("T2IAdapter", folder)
    for method in ("tcd", "lcm"):
        # The same call of the text-to-image pipeline.
        pipe = bench.backend.pipeline(f"{family}Pipeline", method, base=base)
        yield row(f"{method.upper()}-LoRA, without", bench.images(pipe, each))
        pipe = bench.backend.pipeline(name, method, base=base, **{argument: part})
        for strength in (1.0, 0.5) if method == "tcd" else (1.0,):
            images = bench.images(pipe, each | {"image": hints}, **{scale: strength})
            yield row(f"{method.upper()}-LoRA, with, scale {strength:g}", images)


SIBLING_KINDS = ("normal",)
"""The kinds of maps whose network fits the sibling in SD 1.5's layout."""


def sibling(bench: Bench, folder: Path) -> Base:
    """The sibling in SD 1.5's layout, which is beside a folder, as a whole pipeline."""
    found = folder.parent / "sd15"
    if bench.whole is None:
        bench.whole = tempfile.TemporaryDirectory()
        write_pipeline((found,), "StableDiffusionPipeline", Path(bench.whole.name))
    return Base(Path(bench.whole.name), found)


def sd15(bench: Bench, folder: Path) -> Iterator[Row]:
    """The sibling in SD 1.5's layout: 4 steps with each LoRA, and 50 without; the prompts are those of accuracy.py."""
    scenes, prompts = unseen_scenes(bench.cases, 0.0, seed=31337)
    each = {"prompt": prompts}
    base = sibling(bench, folder)

    def row(title: str, images: np.ndarray) -> Row:
        return accuracy_row(title, images, scenes)

    for method in ("tcd", "lcm"):
        pipe = bench.backend.pipeline("StableDiffusionPipeline", method, lora=False, base=base)
        yield row(f"{method.upper()}, 4 steps, without a LoRA", bench.images(pipe, each))
        pipe = bench.backend.pipeline("StableDiffusionPipeline", method, base=base)
        yield row(f"{method.upper()}-LoRA, 4 steps", bench.images(pipe, each))
    with tempfile.TemporaryDirectory() as name:
        whole = Base(Path(name), folder)
        write_pipeline((folder, folder.parent / "lcm_unet"), "LatentConsistencyModelPipeline", whole.folder)
        pipe = bench.backend.pipeline("LatentConsistencyModelPipeline", "lcm", lora=False, base=whole)
        yield row("guidance embedding, 4 steps, guidance 8", bench.images(pipe, each, guidance_scale=8.0))
    pipe = bench.backend.pipeline("StableDiffusionPipeline", "ddim", lora=False, base=base)
    images = bench.images(pipe, each, num_inference_steps=50, guidance_scale=TEACHER_GUIDANCE)
    yield row(f"DDIM, 50 steps, guidance {TEACHER_GUIDANCE:g}", images)


TEACHER_GUIDANCE = 3.0
FRAMES, FRAME_STEPS = 16, 5


def _clip_cases(bench: Bench, number: int) -> list[tuple[Scene, str | None]]:
    """Scenes with one thing, each with a direction."""
    directions = list(DIRECTIONS)
    return [(replace(plain(scene), size=None), directions[k % 4]) for k, scene in enumerate(bench.scenes(number))]


def _clip_row(title: str, clips: np.ndarray, cases: list[tuple[Scene, str | None]]) -> Row:
    found = [judge_clip(list(clip), scene, direction) for clip, (scene, direction) in zip(clips, cases, strict=True)]
    growth = [v.growth for v in found if v.growth is not None]
    numbers: dict[str, float | None] = {
        "direction": percent(v.direction for v in found),
        "identity": 100 * float(np.mean([v.identity for v in found])),
        "smooth": percent(v.smooth for v in found),
        "grows": percent(v.growth is not None and v.growth >= MIN_GROWTH for v in found),
        "mean growth": float(np.mean(growth)) if growth else None,
    }
    shown = clips[:, :: FRAMES // 4 + 1].transpose(0, 2, 1, 3, 4)  # some frames side by side
    return Row(title, numbers, shown.reshape(len(clips), clips.shape[2], -1, 3))


def motion_adapter(bench: Bench, folder: Path) -> Iterator[Row]:
    """The motion adapter: things that move in a direction, in 5 steps."""
    bench = Bench(bench.backend, bench.cases, bench.seed, batch=1)
    base, cases = sibling(bench, folder), _clip_cases(bench, 7)
    each = {"prompt": [moving(_positioned(scene, direction)) for scene, direction in cases]}
    options = {"num_inference_steps": FRAME_STEPS}
    for method in ("tcd", "lcm"):
        pipe = bench.backend.pipeline("StableDiffusionPipeline", method, base=base)
        single = bench.images(pipe, {"prompt": [p for p in each["prompt"] for _ in range(FRAMES)]}, **options)
        clips = single.reshape(bench.cases, FRAMES, *single.shape[1:])
        yield _clip_row(f"{method.upper()}-LoRA, without", clips, cases)
        adapter = bench.backend.network("MotionAdapter", folder)
        pipe = bench.backend.pipeline("AnimateDiffPipeline", method, base=base, motion_adapter=adapter)
        clips = bench.images(pipe, each, num_frames=FRAMES, **options)
        yield _clip_row(f"{method.upper()}-LoRA, with", clips, cases)


def _positioned(scene: Scene, direction: str | None) -> str:
    return caption(replace(scene, position=TOWARD.get(direction or "")))


def motion_zoom_in(bench: Bench, folder: Path) -> Iterator[Row]:
    """The motion LoRA beside the motion adapter: things that stay in the center, in 5 steps."""
    bench = Bench(bench.backend, bench.cases, bench.seed, batch=1)
    base, cases = sibling(bench, folder), [(scene, None) for scene, _ in _clip_cases(bench, 8)]
    each = {"prompt": [caption(scene) for scene, _ in cases]}
    options = {"num_inference_steps": FRAME_STEPS, "num_frames": FRAMES}
    for method in ("tcd", "lcm"):
        adapter = bench.backend.network("MotionAdapter", folder.parent / "motion_adapter")
        pipe = bench.backend.pipeline("AnimateDiffPipeline", method, base=base, motion_adapter=adapter)
        yield _clip_row(f"{method.upper()}-LoRA, without", bench.images(pipe, each, **options), cases)
        pipe.load_lora_weights(str(folder), weight_name=WEIGHTS, adapter_name="motion")
        bench.backend.activate(pipe, [method, "motion"])
        yield _clip_row(f"{method.upper()}-LoRA, with", bench.images(pipe, each, **options), cases)


def reconstructed(bench: Bench, vae: Any, images: np.ndarray) -> np.ndarray:
    """Images (N, H, H, 3) in [0, 1], encoded and decoded."""
    out = []
    for k in range(0, len(images), bench.batch):
        pixels = np.ascontiguousarray(images[k : k + bench.batch].transpose(0, 3, 1, 2) * 2 - 1)
        out.append(bench.backend.decode(vae, bench.backend.encode(vae, pixels)))
    return (np.concatenate(out).transpose(0, 2, 3, 1) / 2 + 0.5).clip(0, 1)


@dataclass(frozen=True)
class Hole:
    """A case of inpainting: the scene, the covered thing, the mask (H, H) bool, and what the prompt asks for."""

    scene: Scene
    covered: int
    mask: np.ndarray
    wanted: Scene


def hole(rng: np.random.Generator) -> Hole:
    scene = random_scene(rng, 0.5, unseen=True)
    covered = int(rng.integers(len(scene.things)))
    thing = scene.things[covered]
    while True:
        wanted = plain(random_scene(rng, 0.0, unseen=True))
        if wanted.background == scene.background:
            break
    mask = np.zeros((128, 128), bool)
    left, top, right_, bottom = (
        round(min(max((place + side * thing.radius + 1) * 64 + side * 5, 0), 128))
        for side, place in ((-1, thing.x), (-1, thing.y), (1, thing.x), (1, thing.y))
    )
    mask[top:bottom, left:right_] = True
    return Hole(scene, covered, mask, wanted)


def inpainting(bench: Bench, folder: Path) -> Iterator[Row]:
    """Inpainting: another object in the place of one; in half of the images, there is a second one, which remains."""
    rng = np.random.default_rng([31337, 2])
    holes = [hole(rng) for _ in range(bench.cases)]
    drawn = drawings([each.scene for each in holes], 2)
    masks = np.stack([each.mask for each in holes])
    bench.inputs.append(np.where(masks[..., None], 0.5, drawn))
    each = {
        "prompt": [caption(each.wanted) for each in holes],
        "image": [Image.fromarray(eight_bit(image)) for image in drawn],
        "mask_image": [Image.fromarray(eight_bit(mask)) for mask in masks],
    }

    def row(title: str, images: np.ndarray) -> Row:
        strict, loose, changed = [], [], []
        for image, before, case in zip(images, drawn, holes, strict=True):
            seen, (thing,) = read(image), case.wanted.things
            inside = [
                found
                for found in seen.things
                if case.mask[tuple(min(max(int((c + 1) * 64), 0), 127) for c in (found.y, found.x))]
            ]
            same = len(seen.things) == len(case.scene.things) and len(inside) == 1
            same = same and inside[0].shape == thing.shape and inside[0].colour == thing.colour
            same = same and seen.background == case.scene.background
            strict.append(same and max(inside[0].overlaps) >= STRICT_OVERLAP)
            loose.append(same)
            changed.append(255 * np.abs(image - before)[~case.mask].mean())
        numbers = {"right": percent(strict), "right at 0.8": percent(loose), "outside / 255": float(np.mean(changed))}
        return Row(title, numbers, images)

    vae = bench.backend.network("AutoencoderKL", SHAPES_FOLDER / "vae")
    yield row("the drawings through the VAE", reconstructed(bench, vae, drawn))
    for method in ("tcd", "lcm"):
        for title, parts in (("without", {}), ("with", {"unet": changed_unet(bench, folder)})):
            pipe = bench.backend.pipeline("StableDiffusionXLInpaintPipeline", method, **parts)
            yield row(f"{method.upper()}-LoRA, {title}", bench.images(pipe, each, strength=1.0))


def changed_unet(bench: Bench, folder: Path) -> Any:
    """The UNet whose difference to the shipped one is in a folder."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name)
        shutil.copyfile(folder / "config.json", target / "config.json")
        save_file(unet_weights((folder,)), target / WEIGHTS, metadata={"format": "pt"})
        return bench.backend.network("UNet2DConditionModel", target)


def style(bench: Bench, folder: Path) -> Iterator[Row]:
    """The style LoRA beside each of the LoRAs for few steps."""
    scenes = bench.scenes(3)
    each = {"prompt": [caption(plain(scene)) for scene in scenes]}

    def row(title: str, images: np.ndarray) -> Row:
        found = [on_the_badge(image) for image in images]
        shown = [image if content is None else content for image, content in zip(images, found, strict=True)]
        return Row(title, {"style": percent(f is not None for f in found)} | right(verdicts(shown, scenes)), images)

    for method in ("tcd", "lcm"):
        pipe = bench.backend.pipeline("StableDiffusionXLPipeline", method)
        yield row(f"{method.upper()}-LoRA, without", bench.images(pipe, each))
        pipe.load_lora_weights(str(folder), weight_name=LORA_FILE, adapter_name="style")
        bench.backend.activate(pipe, [method, "style"])
        yield row(f"{method.upper()}-LoRA, with", bench.images(pipe, each))


def embedded(bench: Bench, folder: Path) -> Iterator[Row]:
    """The LCM UNet at several guidance scales, for the prompts of accuracy.py."""
    scenes, prompts = unseen_scenes(bench.cases, 0.0, seed=31337)
    each = {"prompt": prompts}

    def row(title: str, images: np.ndarray) -> Row:
        return accuracy_row(title, images, scenes)

    pipe = bench.backend.pipeline("StableDiffusionXLPipeline", "lcm", lora=False)
    yield row("without, guidance 8 (two passes per step)", bench.images(pipe, each, guidance_scale=8.0))
    pipe = bench.backend.pipeline("StableDiffusionXLPipeline", "lcm")
    yield row("LCM-LoRA, no guidance", bench.images(pipe, each))
    unet = changed_unet(bench, folder)
    pipe = bench.backend.pipeline("StableDiffusionXLPipeline", "lcm", lora=False, unet=unet)
    for guidance in (3.0, 5.0, 8.0, 10.0, 13.0):
        yield row(f"with, guidance {guidance:g}", bench.images(pipe, each, guidance_scale=guidance))


def ip_adapter(bench: Bench, folder: Path) -> Iterator[Row]:
    """The IP-Adapter with an empty prompt, at several scales."""
    scenes = bench.scenes(5)
    drawn = drawings(scenes, 5)
    bench.inputs.append(drawn)
    bench = Bench(bench.backend, bench.cases, bench.seed, batch=1)
    each = {"prompt": [""] * bench.cases}
    hints = {"ip_adapter_image": [Image.fromarray(eight_bit(image)) for image in drawn]}

    def row(title: str, images: np.ndarray, without: np.ndarray | None = None) -> Row:
        found = verdicts(images, scenes)
        numbers = {"shape and color": percent(v.shape and v.colour for v in found)}
        numbers |= {"background": percent(v.background for v in found)} | right(found)
        numbers["IoU"] = 100 * float(overlaps(images, drawn).mean())
        numbers["largest difference"] = None if without is None else float(np.abs(images - without).max())
        return Row(title, numbers, images)

    for method in ("tcd", "lcm"):
        pipe = bench.backend.pipeline("StableDiffusionXLPipeline", method)
        plain_images = bench.images(pipe, each)
        yield row(f"{method.upper()}-LoRA, without", plain_images)
        pipe.load_ip_adapter(str(folder), subfolder="sdxl_models", weight_name="ip-adapter_sdxl.safetensors")
        for scale in (1.0, 0.5, 0.0) if method == "tcd" else (1.0,):
            bench.backend.follow(pipe, scale)
            yield row(f"{method.upper()}-LoRA, scale {scale:g}", bench.images(pipe, each | hints), plain_images)


def tiny_vae(bench: Bench, folder: Path) -> Iterator[Row]:
    """The tiny autoencoder: reconstructions, the time of decoding, and generated images."""
    scenes = bench.scenes(6)
    drawn = drawings(scenes, 6)
    each = {"prompt": [caption(plain(scene)) for scene in scenes]}
    bench.inputs.append(drawn)
    networks = {
        "without": bench.backend.network("AutoencoderKL", SHAPES_FOLDER / "vae"),
        "with": bench.backend.network("AutoencoderTiny", folder),
    }
    latents = np.random.default_rng(0).standard_normal((1, 4, 16, 16), np.float32)
    times: dict[str, list[float]] = {title: [] for title in networks}
    for _ in range(ROUNDS):
        for title, vae in networks.items():
            start = time.perf_counter()
            bench.backend.decode(vae, latents)
            times[title].append(1000 * (time.perf_counter() - start))

    def row(title: str, images: np.ndarray, what: str, overlap: np.ndarray | None) -> Row:
        numbers: dict[str, float | None] = {
            "IoU ≥ 0.9": None if overlap is None else percent(overlap >= 0.9),
            "milliseconds": float(np.median(times[title][2:])),
        }
        return Row(f"{what}, {title}", numbers | right(verdicts(images, scenes)), images)

    for title, vae in networks.items():
        images = reconstructed(bench, vae, drawn)
        yield row(title, images, "reconstructions", overlaps(images, drawn))
    for title, vae in networks.items():
        pipe = bench.backend.pipeline("StableDiffusionXLPipeline", "tcd", vae=vae)
        yield row(title, bench.images(pipe, each), "TCD-LoRA", None)


PARTS: dict[str, Callable[[Bench, Path], Iterator[Row]]] = {
    "controlnet_canny": control,
    "controlnet_depth": control,
    "t2i_canny": control,
    "inpainting": inpainting,
    "style_badge": style,
    "lcm_unet": embedded,
    "ip_adapter": ip_adapter,
    "tiny_vae": tiny_vae,
    "sd15": sd15,
    "controlnet_normal": control,
    "motion_adapter": motion_adapter,
    "motion_zoom_in": motion_zoom_in,
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


def save_sheet(inputs: list[np.ndarray], rows: list[Row], path: Path, columns: int = 12) -> None:
    """The first cases as a PNG: one line for each input, then one for each row of results."""
    lines = [*inputs, *(row.images for row in rows)]
    pixels = np.concatenate([np.concatenate(list(line[:columns]), axis=1) for line in lines])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(eight_bit(pixels)).save(path)


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def check(args: argparse.Namespace) -> None:
    """Check all arguments before sampling.

    Raises:
        UsageError: for numbers out of range, and for a file or folder that does not exist or cannot be written.
    """
    if not 2 <= args.cases <= MOST_CASES:
        raise UsageError(f"--cases is {args.cases}; choose a number from 2 to {MOST_CASES}")
    if args.batch < 1:
        raise UsageError(f"--batch is {args.batch}; choose 1 or more")
    if args.threads is not None and (args.backend != "torch" or args.threads < 1):
        raise UsageError(f"--threads is {args.threads}; choose 1 or more, with --backend torch")
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

    backend = TorchBackend(args.threads) if args.backend == "torch" else MindSporeBackend()
    bench = Bench(backend, args.cases, args.seed, args.batch)
    print(f"{args.cases} cases, seed {args.seed}, {args.backend}; {versions()}")
    kept: dict[str, Any] = {}
    for part in args.part or PARTS:
        bench.inputs, rows = [], []
        for row in PARTS[part](bench, args.folder / part):
            if not rows:
                print(f"\n| {part} | " + " | ".join(row.numbers) + " |\n" + "|---" * (len(row.numbers) + 1) + "|")
            rows.append(row)
            print(f"| {row.title} | " + " | ".join(shown(value) for value in row.numbers.values()) + " |", flush=True)
        kept[part] = [{"row": row.title, **row.numbers} for row in rows]
        if args.grid:
            save_sheet(bench.inputs, rows, args.grid / f"{part}.png")
        if args.json:
            facts = {"backend": args.backend, "cases": args.cases, "seed": args.seed, "versions": versions()}
            text = json.dumps({**facts, "parts": kept}, indent=2, ensure_ascii=False)
            args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
