"""Photos, and calls of loaded pipelines whose images are floats."""

import numpy as np
from PIL import Image, ImageDraw

from mindone_tcd import load
from mindone_tcd.generate.loaded import LoadedPipeline

SIDE = 64
PROMPT = "a cat"


def photo(k: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """An image, RGB, with colors, edges and noise of its own."""
    dice = np.random.default_rng(k)
    noise = Image.fromarray(dice.integers(0, 256, (size[1], size[0] // 2, 3), np.uint8))
    image = Image.new("RGB", size, tuple(dice.integers(0, 256, 3).tolist()))
    image.paste(noise, (k % 2 * (size[0] // 2), 0))
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        (left, top), color = dice.integers(0, 32, 2).tolist(), tuple(dice.integers(0, 256, 3).tolist())
        draw.rectangle((left, top, left + size[0] // 2, top + size[1] // 3), fill=color)
    return image


def mask() -> Image.Image:
    """A mask, L, white in its left half."""
    levels = np.zeros((SIDE, SIDE), np.uint8)
    levels[:, : SIDE // 2] = 255
    return Image.fromarray(levels)


class Floats:
    """A pipeline whose calls return arrays from 0 to 1 instead of PIL images, and that records their arguments."""

    def __init__(self, pipe):
        self.pipe, self.calls = pipe, []

    def __getattr__(self, name):
        return getattr(self.pipe, name)

    def __call__(self, **options):
        self.calls.append(options)
        return self.pipe(**options, output_type="np")


def opened(task: str, model, lora="none", **parts) -> LoadedPipeline:
    """A loaded pipeline, whose calls return arrays."""
    loaded = load(task, model, lora=lora, **parts)
    loaded.pipeline.set_progress_bar_config(disable=True)
    loaded.pipeline = Floats(loaded.pipeline)
    return loaded


def made(loaded: LoadedPipeline, prompt: str = PROMPT, **call) -> np.ndarray:
    """The image of a call with 2 steps, float32 (height, width, 3)."""
    return loaded(prompt, **{"steps": 2, **call})[0].image


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())
