"""Components for uploaded images. They accept files that this session uploaded, within limits, and nothing else.

Gradio's own components also download images from URLs, decode any image before its size is checked, and store the parts
of an edited image without a limit.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorData
from gradio.data_classes import ImageData
from PIL import Image

from ..errors import UsageError
from ..generate.generated_image import GeneratedImage
from .limits import opened
from .toasts import failed

_MOST_LAYERS = 8
_MOST_BLOBS = 32
"""The number of edited images that are stored until their runs begin."""

_EXAMPLE = {"path": "image.png", "meta": {"_type": "gradio.FileData"}}


async def _moved(path: str | Path | None) -> str | None:
    """Return the path of an upload. Gradio has checked that it is in the folder of uploads.

    Raises:
        gr.Error: for a URL.
    """
    if path is not None and "://" in str(path):
        raise failed("images from URLs are not accepted; download the image and upload it")
    return None if path is None else str(path)

from gradio.events import Dependency

class ImageFile(gr.Image):
    """An uploaded image, which a handler gets as the path of the file, unchanged."""

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        if payload is None or payload.path is None:
            if payload is not None and payload.url:
                raise failed("images as URLs or as text are not accepted; upload the image")
            return None
        return payload.path

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        return await _moved(url_or_file_path)

    def example_payload(self) -> Any:
        return _EXAMPLE

    def example_value(self) -> Any:
        return _EXAMPLE["path"]
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class MaskEditor(gr.ImageEditor):
    """An uploaded image on which the user draws. A handler gets the paths of the image and of the drawn mask.

    Clients of the API pass the layers of the mask as files. The opaque pixels of a layer are drawn; of a layer without
    transparent pixels, the white ones.
    """

    is_template = True

    def preprocess(self, payload: EditorData | None) -> dict[str, str] | None:
        if payload is None:
            return None
        folder = Path(self.GRADIO_CACHE) / secrets.token_hex(16)
        stored = self.blob_storage.pop(payload.id, None) if payload.id is not None else None
        if stored is not None:
            folder.mkdir(parents=True)
            background = _written(stored.background, folder / "background")
            layers = [_written(layer, folder / f"layer-{k}") for k, layer in enumerate(stored.layers[:_MOST_LAYERS])]
        else:
            background = payload.background and payload.background.path
            layers = [layer.path for layer in payload.layers[:_MOST_LAYERS]]
        try:
            return image_and_mask(background, [layer for layer in layers if layer], folder)
        except UsageError as error:
            raise failed(str(error)) from None

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        return await _moved(url_or_file_path)

    @server
    def accept_blobs(self, data: AcceptBlobs) -> None:
        index = data.data["index"]
        if index not in (None, "", "null") and not 0 <= int(str(index)) < _MOST_LAYERS:
            return
        super().accept_blobs(data)
        while len(self.blob_storage) > _MOST_BLOBS:
            del self.blob_storage[next(iter(self.blob_storage))]

    def example_payload(self) -> Any:
        return {"background": _EXAMPLE, "layers": [_EXAMPLE], "composite": None}

    def example_value(self) -> Any:
        return {"background": _EXAMPLE["path"], "layers": [_EXAMPLE["path"]], "composite": None}
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


def _written(content: bytes | None, path: Path) -> str | None:
    if content is None:
        return None
    path.write_bytes(content)
    return str(path)


def image_and_mask(background: str | None, layers: Sequence[str], folder: Path) -> dict[str, str] | None:
    """Write an image and the mask of its layers as PNG files, and return their paths; None without an image.

    Args:
        background: the path of the image.
        layers: the paths of the layers. A layer of another size is scaled to the image's.
        folder: where the files are written.

    Raises:
        UsageError: if a file is no image, damaged or too large, or nothing is drawn.
    """
    if background is None:
        return None
    image = opened(background, "image").image
    drawn = np.zeros((image.height, image.width), bool)
    for layer in layers:
        opened(layer, "mask")  # checks the size before the layer is decoded
        with Image.open(layer) as file:
            pixels = np.asarray(file.convert("RGBA").resize(image.size, Image.Resampling.NEAREST))
        alpha = pixels[..., 3]
        drawn |= alpha >= 128 if alpha.min() < 255 else pixels[..., :3].mean(-1) >= 128
    if not drawn.any():
        raise UsageError("no mask is drawn; paint over the part of the image that should change")
    folder.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(drawn * np.uint8(255)).convert("RGB")
    return {
        name: str(GeneratedImage(content, {}).save(folder / f"{name}.png"))
        for name, content in (("image", image), ("mask", mask))
    }