"""Networks and LoRAs beside a model, found without loading them."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate import parts
from mindone_tcd.generate.parts import Part, find_part, loras_of, maps_of
from mindone_tcd.shapes import models
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER

SHIPPED = Model(SHAPES, str(SHAPES_FOLDER), True, "StableDiffusionXLPipeline", cross_attention_dim=128)
XL = Model("owner/xl", "owner/xl", False, "StableDiffusionXLPipeline", cross_attention_dim=2048)
TINY = replace(XL, cross_attention_dim=80)
SD = Model("owner/sd", "owner/sd", False, "StableDiffusionPipeline", cross_attention_dim=768)


@pytest.mark.parametrize(("key", "name"), parts._SHIPPED.items())
def test_the_shipped_parts(key, name):
    assert find_part(SHIPPED, *key) == Part(key[1], key[2], str(models.MODELS[name].folder), "package")


@pytest.mark.parametrize(("key", "name"), parts._PUBLISHED.items())
def test_the_published_parts(key, name):
    assert find_part({"SDXL": XL, "SD": SD}[key[0]], *key) == Part(key[1], key[2], name, "hub")


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        (
            SHIPPED,
            ("SDXL", "controlnet", "pose"),
            "no ControlNet 'pose' is known for shapes; choose one of: canny, dep",
        ),
        (
            SHIPPED,
            ("SDXL", "style", "oil"),
            "no style LoRA 'oil' is known for shapes; choose one of: outline; or pass a",
        ),
        (
            XL,
            ("SDXL", "style", "outline"),
            "no style LoRA 'outline' is known for owner/xl; pass a folder, a file or a hub",
        ),
        (SD, ("SD", "t2i-adapter", "canny"), "no T2I-Adapter 'canny' is known for owner/sd; pass a folder"),
        (SD, ("SD", "motion", "spin"), "no motion LoRA 'spin' is known .*: zoom-in, zoom-out, pan-left"),
        (XL, ("SDXL", "motion-adapter", ""), "no motion adapter is known for owner/xl; pass a folder"),
    ],
)
def test_parts_that_are_not_known(model, key, message):
    with pytest.raises(UsageError, match=message):
        find_part(model, *key)


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("controlnet", "controlnet-sdxl"),
        ("t2i-adapter", "t2i-adapter-sdxl"),
        ("ip-adapter", "ip-adapter"),
        ("style", "lora-sdxl"),
        ("motion-adapter", "motion-adapter"),
        ("motion", "motion-lora"),
    ],
)
def test_a_folder_of_each_role(folders, monkeypatch, role, name):
    folder = folders(name)
    monkeypatch.chdir(folder.parent)
    for given in (folder, str(folder), folder.name):
        assert find_part(TINY, "SDXL", role, "", given, 0.5) == Part(role, "", str(folder.resolve()), "folder", 0.5)


def test_a_hub_id_stays_as_it_is():
    assert find_part(SHIPPED, "SDXL", "controlnet", "pose", "owner/pose") == Part(
        "controlnet", "pose", "owner/pose", "hub"
    )


@pytest.mark.parametrize("role", parts.ROLES)
@pytest.mark.parametrize(
    ("location", "message"),
    [
        (3, "is 3; expected a folder, a file or a hub id"),
        (None, None),
        ("no/such/folder", "'no/such/folder': expected a folder, a file, or a hub id"),
        ("nothing here", "'nothing here': expected a folder, a file, or a hub id"),
        ("", "'': expected a folder, a file, or a hub id"),
        ("https://example.org/x", "expected a folder, a file, or a hub id"),
    ],
)
def test_locations_that_name_nothing(monkeypatch, tmp_path, role, location, message):
    monkeypatch.chdir(tmp_path)
    if message is None:
        return
    with pytest.raises(UsageError, match=message) as caught:
        find_part(XL, "SDXL", role, "canny", location)
    assert parts.TITLES[role] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_configuration_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no config\.json; expected the folder of a ControlNet"):
        find_part(XL, "SDXL", "controlnet", "canny", tmp_path)


@pytest.mark.parametrize(
    ("model", "role", "name", "message"),
    [
        (
            XL,
            "controlnet",
            "controlnet-sd15",
            "for a cross_attention_dim of 32, but owner/xl has 2048; pass a ControlNet th",
        ),
        (XL, "controlnet", "t2i-adapter-sdxl", r"is a 'T2IAdapter'; expected a ControlNet \(ControlNetModel\)"),
        (XL, "t2i-adapter", "controlnet-sdxl", r"is a 'ControlNetModel'; expected a T2I-Adapter \(T2IAdapter\)"),
        (
            SD,
            "motion-adapter",
            "controlnet-sd15",
            r"is a 'ControlNetModel'; expected a motion adapter \(MotionAdapter\)",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(folders, model, role, name, message):
    with pytest.raises(UsageError, match=message):
        find_part(model, "SDXL", role, "canny", folders(name))


def test_published_parts_fit_the_published_models_only():
    for model in (replace(SD, cross_attention_dim=1024), replace(SD, cross_attention_dim=None)):
        with pytest.raises(UsageError, match="no ControlNet 'canny' is known for owner/sd; pass a folder"):
            find_part(model, "SD", "controlnet", "canny")


def test_damaged_parts_are_refused(folders, tmp_path):
    network = shutil.copytree(folders("controlnet-sdxl"), tmp_path / "network")
    (weights,) = network.glob("*.safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=str(weights)):
        find_part(TINY, "SDXL", "controlnet", "canny", network)
    weights.unlink()
    (network / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match="only safetensors are loaded"):
        find_part(TINY, "SDXL", "controlnet", "canny", network)
    style = tmp_path / "style.bin"
    style.write_bytes(b"x")
    with pytest.raises(UsageError, match=r"is not a \.safetensors file"):
        find_part(XL, "SDXL", "style", "", style)


def test_a_configuration_that_cannot_be_read_is_refused(folders, tmp_path):
    network = shutil.copytree(folders("controlnet-sdxl"), tmp_path / "network")
    (network / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config\.json"):
        find_part(TINY, "SDXL", "controlnet", "canny", network)


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ("canny", [("canny", None)]),
        (["canny", "depth"], [("canny", None), ("depth", None)]),
        (("canny", "depth-map"), [("canny", None), ("depth-map", None)]),
        ([("canny", "a/b"), ("canny", None)], [("canny", "a/b"), ("canny", None)]),
        ({"canny": "a/b", "depth": Path("x")}, [("canny", "a/b"), ("depth", Path("x"))]),
    ],
)
def test_maps(value, pairs):
    assert maps_of(value, "control") == pairs


@pytest.mark.parametrize("value", [3, [], {}, [3], [("canny", "a", "b")], {3: "a/b"}, b"canny", True, np.ones(2), [[]]])
def test_values_that_are_no_maps(value):
    with pytest.raises(
        UsageError, match=r"control is .*; expected a kind such as 'canny', a list of kinds, or a map"
    ) as e:
        maps_of(value, "control")
    assert "\n" not in str(e.value)


def test_loras(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.safetensors"
    assert loras_of("outline", "style") == [("outline", None, 1.0)]
    assert loras_of(("outline", 0.5), "style") == [("outline", None, 0.5)]
    assert loras_of([("owner/name", -1), file], "style") == [("", "owner/name", -1.0), ("", file, 1.0)]
    assert loras_of("Outline", "style") == [("", "Outline", 1.0)], "names are in lower case"
    assert loras_of("pan-left", "motion") == [("pan-left", None, 1.0)]


def test_a_lora_in_a_folder_whose_name_is_like_a_shipped_ones(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink(folders("lora-sdxl"), "oil")
    os.symlink(folders("lora-sdxl"), "outline")
    assert find_part(XL, "SDXL", "style", "oil") == Part("style", "", str(folders("lora-sdxl").resolve()), "folder")
    assert find_part(SHIPPED, "SDXL", "style", "outline").source == "package", "the package has this name"
    assert find_part(SHIPPED, "SDXL", "style", "", "./outline").source == "folder"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "style is 3; expected a name, a file or a hub id, a pair of one and a weight, or a list of these"),
        ([3], "style is"),
        (("outline", "x"), "style is"),
        (("outline", True), "style is"),
        ((3, 0.5), "style is"),
        ([], "style is empty; name a LoRA, or leave it out"),
        (("outline", float("nan")), "the weight of a LoRA in style is nan; expected a number from -100 to 100"),
        (("outline", float("inf")), "the weight of a LoRA in style is inf; expected a number from -100 to 100"),
        (
            [("outline", 1), ("outline", 101)],
            "the weight of a LoRA in style is 101; expected a number from -100 to 100",
        ),
    ],
)
def test_values_that_are_no_loras(value, message):
    with pytest.raises(UsageError) as caught:
        loras_of(value, "style")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("kind", "title"), [("canny", "ControlNet canny"), ("", "ControlNet")])
def test_titles(kind, title):
    assert Part("controlnet", kind, "a/b", "hub").title == title
