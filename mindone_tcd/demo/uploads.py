"""Components for uploaded images. They accept files that a visitor uploaded, within limits, and nothing else.

Gradio's own components also download images from URLs, decode any image before its size is checked, and store the parts
of an edited image without a limit. The methods that do so are replaced in each component. There are no subclasses,
because gradio writes a file beside the module of each subclass.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.base import server

from .masks import Edited
from .toasts import failed

_MOST_LAYERS = 8
_MOST_BLOBS = 32
"""The number of edited images that are stored until their runs begin."""

_EXAMPLE = {"path": "image.png", "url": None, "meta": {"_type": "gradio.FileData"}}
_SOURCES = ["upload", "clipboard"]


async def _moved(path: str | Path | None) -> str | None:
    """Return the path of an upload. Gradio has checked that it is in the folder of uploads.

    Raises:
        gr.Error: for a URL.
    """
    if path is not None and "://" in str(path):
        raise failed("images from URLs are not accepted; download the image and upload it")
    return None if path is None else str(path)


def image_file(**options: Any) -> gr.Image:
    """Create a field for an image. A handler gets the path of the uploaded file, unchanged, or None.

    Args:
        options: more arguments of ``gradio.Image``.
    """
    field = gr.Image(type="filepath", sources=_SOURCES, **options)

    def preprocess(payload: Any) -> str | None:
        if payload is not None and payload.path is None and payload.url:
            raise failed("images as URLs or as text are not accepted; upload the image")
        return None if payload is None else payload.path

    _replace(field, preprocess, _EXAMPLE)
    return field


def mask_editor(**options: Any) -> gr.ImageEditor:
    """Create a field for an image on which the visitor draws. A handler gets an :class:`Edited`, or None.

    Clients of the API pass the image and the layers as files.

    Args:
        options: more arguments of ``gradio.ImageEditor``.
    """
    editor = gr.ImageEditor(type="filepath", sources=_SOURCES, layers=False, transforms=None, **options)
    store = editor.accept_blobs

    def preprocess(payload: Any) -> Edited | None:
        if payload is None:
            return None
        folder = None
        stored = editor.blob_storage.pop(payload.id, None) if payload.id is not None else None
        if stored is not None:
            folder = Path(editor.GRADIO_CACHE) / secrets.token_hex(16)
            folder.mkdir(parents=True)
            background = _written(stored.background, folder / "background")
            layers = [_written(layer, folder / f"layer-{k}") for k, layer in enumerate(stored.layers)]
        else:
            background = payload.background and payload.background.path
            layers = [layer.path for layer in payload.layers]
        return Edited(background, tuple(filter(None, layers[:_MOST_LAYERS])), folder) if background else None

    @server
    def accept_blobs(data: Any) -> None:
        index = data.data["index"]
        if index not in (None, "", "null") and not 0 <= int(str(index)) < _MOST_LAYERS:
            return
        store(data)
        while len(editor.blob_storage) > _MOST_BLOBS:
            del editor.blob_storage[next(iter(editor.blob_storage))]

    _replace(editor, preprocess, {"background": _EXAMPLE, "layers": [_EXAMPLE], "composite": None})
    vars(editor)["accept_blobs"] = accept_blobs
    return editor


def _replace(component: Any, preprocess: Any, example: Any) -> None:
    """Replace the methods of one component that read uploads, and the example in the description of the API."""
    vars(component).update(
        preprocess=preprocess,
        async_move_resource_to_block_cache=_moved,
        example_payload=lambda: example,
        example_value=lambda: example,
    )


def _written(content: bytes | None, path: Path) -> str | None:
    if content is None:
        return None
    path.write_bytes(content)
    return str(path)
