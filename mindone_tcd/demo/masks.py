"""An image on which a visitor has drawn: from its layers to the files of the image and the mask."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UsageError, shown
from ..files.images import FORMATS, MOST_PIXELS, MOST_SIDE
from ..generate.generated_image import GeneratedImage
from .limits import opened


@dataclass(frozen=True)
class Edited:
    """An edited image.

    Attributes:
        background: the path of the image.
        layers: the paths of what was drawn. The opaque pixels of a layer are drawn; of a layer without transparent
            pixels, the light ones.
        folder: a folder with only these files, which is removed when they were read; None for uploaded files.
    """

    background: str
    layers: tuple[str, ...]
    folder: Path | None = None


def image_and_mask(edited: Edited, folder: Path) -> dict[str, str]:
    """Write the image and the mask as PNG files, and return their paths as ``image`` and ``mask``.

    Args:
        edited: the image. A layer of another size is scaled to it.
        folder: where the files are written; it is created.

    Raises:
        UsageError: if a file is no image, damaged or too large, or nothing is drawn.
    """
    try:
        image, mask = _read(edited)
    finally:
        if edited.folder is not None:
            shutil.rmtree(edited.folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return {
        name: str(GeneratedImage(content, {}).save(folder / f"{name}.png"))
        for name, content in (("image", image), ("mask", mask))
    }


def _read(edited: Edited) -> tuple[Image.Image, Image.Image]:
    """Return the image and the mask, RGB."""
    image = opened(edited.background, "image").image
    drawn = np.zeros((image.height, image.width), bool)
    for layer in edited.layers:
        pixels = _layer(layer, image.size)
        alpha = pixels[..., 3]
        drawn |= alpha >= 128 if alpha.min() < 255 else pixels[..., :3].mean(-1) >= 128
    if not drawn.any():
        raise UsageError("no mask is drawn; paint over the part of the image that should change")
    return image, Image.fromarray(drawn * np.uint8(255)).convert("RGB")


def _layer(path: str, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a layer in a size, RGBA."""
    name = shown(Path(path).name)
    try:
        with Image.open(path, formats=FORMATS) as file:  # reads only the header
            if max(file.size) > MOST_SIDE or file.width * file.height > MOST_PIXELS:
                raise UsageError(f"mask {name} has {file.width}x{file.height} pixels; expected at most {MOST_PIXELS}")
            return np.asarray(file.convert("RGBA").resize(size, Image.Resampling.NEAREST))
    except UsageError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise UsageError(f"mask {name} is not an image, or it is damaged; expected a PNG file") from error
