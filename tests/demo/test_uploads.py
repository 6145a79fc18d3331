"""Uploaded images, and masks that are drawn on them."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from mindone_tcd.demo.masks import Edited

gr = pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')

from gradio.components.image_editor import EditorData  # noqa: E402
from gradio.data_classes import FileData, ImageData  # noqa: E402

from mindone_tcd.demo import uploads  # noqa: E402


def test_the_file_of_an_image_reaches_the_handler_unchanged(tmp_path):
    path = str(tmp_path / "a.png")
    component = uploads.image_file()
    assert component.preprocess(ImageData(path=path)) == path
    assert component.preprocess(None) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "data:image/png;base64,AAAA"])
def test_images_from_elsewhere_are_refused(url):
    component = uploads.image_file()
    with pytest.raises(gr.Error, match="not accepted"):
        component.preprocess(ImageData(url=url))
    for part in (component, uploads.mask_editor()):
        with pytest.raises(gr.Error, match="images from URLs are not accepted"):
            asyncio.run(part.async_move_resource_to_block_cache("http://127.0.0.1/a.png"))
        assert asyncio.run(part.async_move_resource_to_block_cache("/a.png")) == "/a.png"
        assert asyncio.run(part.async_move_resource_to_block_cache(None)) is None


@pytest.fixture
def editor(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return uploads.mask_editor()


def blob(editor, kind, content, index=None, identity="x"):
    data = {"type": kind, "index": index, "id": identity}
    editor.accept_blobs(SimpleNamespace(data=data, files=[("blob", content)]))


def test_an_edited_image_from_a_browser(editor):
    blob(editor, "background", b"1")
    blob(editor, "layer", b"2", "0")
    blob(editor, "layer", b"3", "2")
    blob(editor, "composite", b"4")
    found = editor.preprocess(EditorData(id="x"))
    contents = [Path(path).read_bytes() for path in (found.background, *found.layers)]
    assert contents == [b"1", b"2", b"3"]
    assert sorted(map(str, found.folder.iterdir())) == [found.background, *found.layers]
    assert not editor.blob_storage  # they are used once
    assert editor.preprocess(EditorData(id="x")) is None


def test_an_edited_image_from_a_client(editor):
    layers = [FileData(path=f"/{k}.png") for k in range(9)]
    found = editor.preprocess(EditorData(background=FileData(path="/in.png"), layers=layers))
    assert found == Edited("/in.png", tuple(f"/{k}.png" for k in range(8)))
    assert editor.preprocess(EditorData(layers=layers)) is None
    assert editor.preprocess(None) is None


def test_parts_of_edited_images_are_limited(editor):
    blob(editor, "layer", b"x", str(10**9))
    blob(editor, "layer", b"x", "-1")
    assert not editor.blob_storage
    for k in range(100):
        blob(editor, "background", b"x", identity=str(k))
    assert list(editor.blob_storage) == [str(k) for k in range(68, 100)]
    assert editor.accept_blobs._is_server_fn
