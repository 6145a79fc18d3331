"""Sample images in several ways, in both frameworks from the same noise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindone_tcd.compare.prompts import unseen_scenes  # noqa: F401 - the benchmarks import it from here
from mindone_tcd.files.model_folder import check_lora, find_model
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER

LORA_FILE = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class Row:
    """One way to sample: scheduler, LoRA, steps, guidance scale; and whether the LoRA is fused into the weights."""

    scheduler: str
    lora: bool
    steps: int
    guidance: float
    note: str = ""
    fused: bool = False

    @property
    def name(self) -> str:
        if self.note:
            return self.note
        method = self.scheduler.upper()
        who = f"no LoRA: {method}"
        if self.lora:
            who = f"{method}-LoRA, fused" if self.fused else f"{method}-LoRA"
        guidance = f"guidance {self.guidance:g}" if self.guidance else "no guidance"
        steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
        return f"{who}, {steps}" if self.lora and not self.guidance else f"{who}, {steps}, {guidance}"


FEW = [Row(method, True, 4, 0.0) for method in ("tcd", "lcm")]
TEACHER = Row("ddim", False, 50, 3.0, "teacher: DDIM, 50 steps, guidance 3")
CONTROLS = [Row(method, False, 4, guidance) for method in ("tcd", "lcm") for guidance in (0.0, 3.0)]
ALL = [
    TEACHER,
    Row("ddim", False, 4, 3.0),
    *[Row(method, True, steps, 0.0) for method in ("tcd", "lcm") for steps in (1, 2, 4, 8)],
    *CONTROLS,
]


class Sampler:
    """Generates images for a row, with values from 0 to 1.

    Args:
        loaded: a function that returns the pipeline for a row.
        call: a function that calls the pipeline.
    """

    def __init__(self, loaded: Callable[[Row], Any], call: Callable[..., np.ndarray]) -> None:
        self._loaded, self._call = loaded, call
        self._pipes: dict[tuple[str, bool, bool], Any] = {}

    def load(self, row: Row) -> Any:
        """The pipeline for a row. One is cached for each scheduler, with and without the LoRA."""
        key = (row.scheduler, row.lora, row.fused)
        if key not in self._pipes:
            self._pipes[key] = self._loaded(row)
            if row.fused:
                self._pipes[key].fuse_lora()
            self._pipes[key].set_progress_bar_config(disable=True)
        return self._pipes[key]

    def __call__(self, row: Row, prompts: list[str], generators: list[np.random.Generator]) -> np.ndarray:
        options = {"num_inference_steps": row.steps, "guidance_scale": row.guidance}
        if row.scheduler == "tcd":
            options["eta"] = 0.3
        return self._call(self.load(row), prompts, generators, **options)


def lora_folder(folder: Path, row: Row) -> Path:
    """The folder of a row's LoRA inside a folder of weights."""
    return folder / f"{row.scheduler}_lora"


def check_folder(folder: Path, rows: list[Row]) -> None:
    """Check the weights that rows need, without loading them.

    Raises:
        UsageError: for a folder without a pipeline, or without the LoRA of a row, and for damaged files.
    """
    # An absolute path cannot be confused with the name of a repository on the hub.
    folder = folder.resolve()
    find_model(str(folder))
    for path in {lora_folder(folder, row) for row in rows if row.lora}:
        check_lora(str(path / LORA_FILE))


def mindspore_sampler(model: str | Path = SHAPES, compile: bool | str = False, quantize: str | None = None) -> Sampler:
    """The sampler of mindone_tcd.

    Args:
        model: `shapes`, or a folder in the layout of the shipped weights, with its own LoRAs.
        compile, quantize: as for `mindone_tcd.load`. A quantized pipeline has no LoRA left to fuse.
    """
    from mindone.diffusers import DDIMScheduler
    from mindone.diffusers.utils import logging

    from mindone_tcd import load

    logging.disable_progress_bar()

    def loaded(row: Row) -> Any:
        method = row.scheduler if row.scheduler != "ddim" else "tcd"
        lora = lora_folder(Path(SHAPES_FOLDER if model == SHAPES else model), row) if row.lora else "none"
        pipe = load(model=model, method=method, lora=lora, compile=compile, quantize=quantize).pipeline
        if row.scheduler == "ddim":
            pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        return pipe

    def call(pipe: Any, prompts: list[str], generators: list[np.random.Generator], **options: Any) -> np.ndarray:
        return pipe(prompts, generator=generators, output_type="np", **options)[0]

    return Sampler(loaded, call)


def torch_sampler(folder: Path = SHAPES_FOLDER, changed: Callable[[Any], None] | None = None) -> Sampler:
    """The sampler of diffusers on torch. `changed` is called with each loaded pipeline."""
    import diffusers
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "reference"))
    from replayed_noise import numpy_streams, replayed

    diffusers.utils.logging.disable_progress_bar()
    names = {"tcd": "TCDScheduler", "lcm": "LCMScheduler", "ddim": "DDIMScheduler"}

    def loaded(row: Row) -> Any:
        pipe = diffusers.DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, use_safetensors=True)
        pipe.scheduler = getattr(diffusers, names[row.scheduler]).from_config(pipe.scheduler.config)
        if row.lora:
            pipe.load_lora_weights(str(lora_folder(folder, row)), weight_name=LORA_FILE)
        if changed is not None:
            changed(pipe)
        return pipe

    def call(pipe: Any, prompts: list[str], generators: list[np.random.Generator], **options: Any) -> np.ndarray:
        size = pipe.unet.config.sample_size
        latents = replayed((len(prompts), 4, size, size), generators)
        if isinstance(pipe.scheduler, diffusers.DDIMScheduler):
            generators = None
        with numpy_streams():
            return pipe(prompts, latents=latents, generator=generators, output_type="np", **options).images

    return Sampler(loaded, call)


def streams(seed: int, first: int, count: int) -> list[np.random.Generator]:
    """One generator for each image, from image `first` on."""
    return [np.random.Generator(np.random.PCG64([seed, first + k])) for k in range(count)]
