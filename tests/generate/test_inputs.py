"""The checked inputs of a call, and their entries in a record."""

import pytest
from PIL import Image

from mindone_tcd.files.images import InputImage
from mindone_tcd.generate.inputs import Inputs, Source


def given(name):
    return InputImage(Image.new("RGB", (8, 8)), name, "ab12")


@pytest.mark.parametrize(
    ("name", "plain", "with_paths"),
    [
        ("photo.png", "photo.png", "photo.png"),
        ("in/photo.png", "in/photo.png", "in/photo.png"),
        ("/home/somebody/photo.png", "photo.png", "/home/somebody/photo.png"),
        ("https://example.org/photo.png", "https://example.org/photo.png", "https://example.org/photo.png"),
        (None, None, None),
    ],
)
def test_an_absolute_path_is_recorded_on_request_only(name, plain, with_paths):
    source = Source("image", given(name))
    expected = {"slot": "image", "kind": "", "sha256": "ab12", "scale": None}
    assert source.as_record(False) == {**expected, "name": plain}
    assert source.as_record(True) == {**expected, "name": with_paths}


def test_the_kind_of_a_control_tells_whether_it_is_a_map():
    entries = [Source("control", given(None), "canny", is_map, 0.5).as_record(False) for is_map in (False, True)]
    assert [(entry["kind"], entry["scale"]) for entry in entries] == [("canny", 0.5), ("canny-map", 0.5)]


def test_inputs_by_slot():
    sources = tuple(Source(slot, given(str(k))) for k, slot in enumerate(("image", "control", "control")))
    inputs = Inputs(sources, {"strength": 0.5})
    assert inputs.one("image") is sources[0]
    assert inputs.of("control") == [*sources[1:]]
    assert inputs.of("mask") == []
    for slot in ("mask", "control"):
        with pytest.raises(ValueError, match="values to unpack"):
            inputs.one(slot)
