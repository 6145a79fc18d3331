"""Prompts and images to begin with, which fit the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..files.model_folder import Model

if TYPE_CHECKING:
    from PIL import Image

_DRAWN = {
    "text-to-image": (
        "a red circle on a blue background",
        "a yellow star above a pink heart on a black background",
        "a small white moon in the top left on a purple background",
        "绿色背景上的一个橙色三角形",
    ),
    "image-to-image": ("a yellow circle on a blue background", "a large red star on a white background"),
    "inpainting": ("a yellow star on a green background", "a blue heart on a green background"),
    "controlnet": ("a red star on a green background", "a cyan star on a black background"),
    "animate": ("a red circle moving right on a blue background", "a yellow star moving up on a black background"),
}
"""Prompts for the shipped models, by task."""

_GENERAL = (
    "a lighthouse at dusk, oil painting",
    "a painting of the aurora over a harbor",
    "a wooden bridge in a misty forest, photo",
)
"""Prompts for all other models."""

_SCENES = {
    "image-to-image": ("square.png", "a large orange square on a cyan background"),
    "inpainting": ("circle.png", "a red circle on a green background"),
    "controlnet": ("star.png", "a large yellow star on a purple background"),
}
"""What the example images for the shipped models show, by task."""


def prompts(task: str, model: Model) -> tuple[str, ...]:
    """Return the prompts for a task; the first one is in the form at the beginning."""
    return _DRAWN[task] if model.shipped else _GENERAL


def image(task: str, model: Model, folder: Path) -> str | None:
    """Write the example image of a task, and return its path; None if there is none for the model.

    Args:
        task: a task.
        model: the model.
        folder: where the file is written.
    """
    if task not in _SCENES or not model.shipped:
        return None
    from ..generate.generated_image import GeneratedImage

    name, caption = _SCENES[task]
    return str(GeneratedImage(drawn(caption), {}).save(folder / name))


def drawn(caption: str) -> Image.Image:
    """Return an exact drawing of a caption of one shape."""
    import numpy as np
    from PIL import Image

    from ..shapes.drawing import draw
    from ..shapes.grammar import parse

    scene = parse(caption)
    assert scene is not None
    return Image.fromarray(np.rint(draw(scene) * 255).astype(np.uint8))
