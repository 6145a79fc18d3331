"""The shipped models by name."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mindone_tcd import shapes
from mindone_tcd.errors import UsageError
from mindone_tcd.shapes import models
from mindone_tcd.shapes.folder import SHAPES_FOLDER

UNET = SHAPES_FOLDER / "unet" / "diffusion_pytorch_model.safetensors"
LINEAR = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
CONVOLUTION = "down_blocks.0.resnets.0.conv1"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    models._whole.cache_clear()
    monkeypatch.setenv("MINDONE_TCD_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    models._whole.cache_clear()


@pytest.fixture
def difference(tmp_path, monkeypatch):
    """A difference of rank 2 with a new tensor, under the name "test"."""
    rng = np.random.default_rng(0)
    folder, base = tmp_path / "difference", load_file(UNET)
    folder.mkdir()
    tensors = {"time_embedding.cond_proj.weight": np.ones((64, 8), np.float16)}
    for module in (LINEAR, CONVOLUTION):
        out, *inner = base[f"{module}.weight"].shape
        tensors[f"{module}.lora_A.weight"] = rng.normal(0, 0.1, (2, *inner)).astype(np.float16)
        tensors[f"{module}.lora_B.weight"] = rng.normal(0, 0.1, (out, 2, *[1] * (len(inner) - 1))).astype(np.float16)
    save_file(tensors, folder / models.DIFFERENCE)
    config = json.loads((SHAPES_FOLDER / "unet" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "time_cond_proj_dim": 8}))
    monkeypatch.setitem(models.MODELS, "test", models.Shipped(folder, "StableDiffusionXLInpaintPipeline"))
    monkeypatch.setitem(models.MODELS, "test-unet", models.Shipped(folder, "StableDiffusionXLInpaintPipeline", "unet"))
    return tensors


def test_a_folder_of_the_package():
    assert shapes.model("shapes") == SHAPES_FOLDER
    assert shapes.model("tcd-lora") == SHAPES_FOLDER / "tcd_lora"


@pytest.mark.parametrize("name", ["shape", "", None, 3, "../weights"])
def test_an_unknown_name(name):
    with pytest.raises(UsageError, match=r"no shipped model .*; choose one of: shapes, "):
        shapes.model(name)


@pytest.mark.parametrize("name", models.MODELS)
def test_each_model_is_in_the_package(name):
    found = models.MODELS[name].folder
    assert found.is_dir(), f"{found} is missing"
    assert list(found.rglob("*.safetensors"))


def test_a_difference_is_applied(cache, difference):
    folder = shapes.model("test")
    assert folder.parent == cache / "models"
    found, base = load_file(folder / "unet" / UNET.name), load_file(UNET)
    assert set(found) - set(base) == {"time_embedding.cond_proj.weight"}
    a, b = (difference[f"{LINEAR}.lora_{part}.weight"].astype(np.float32) for part in "AB")
    np.testing.assert_allclose(found[f"{LINEAR}.weight"], base[f"{LINEAR}.weight"] + b @ a, atol=2e-3)
    a, b = (difference[f"{CONVOLUTION}.lora_{part}.weight"].astype(np.float32) for part in "AB")
    product = np.einsum("or,rikl->oikl", b[..., 0, 0], a)
    np.testing.assert_allclose(found[f"{CONVOLUTION}.weight"], base[f"{CONVOLUTION}.weight"] + product, atol=2e-3)
    same = set(base) - {f"{LINEAR}.weight", f"{CONVOLUTION}.weight"}
    assert all((found[name] == base[name]).all() for name in same)
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionXLInpaintPipeline"
    assert json.loads((folder / "unet" / "config.json").read_text())["time_cond_proj_dim"] == 8
    assert not list(folder.parent.glob("*.part"))


def test_it_is_written_once(cache, difference, monkeypatch):
    folder = shapes.model("test")
    models._whole.cache_clear()
    monkeypatch.setattr(models, "write_pipeline", None)
    assert shapes.model("test") == folder
    assert shapes.model("test-unet") == folder / "unet"


def test_another_difference_has_another_folder(cache, difference):
    folder = shapes.model("test")
    models._whole.cache_clear()
    path = models.MODELS["test"].folder / "config.json"
    path.write_text(path.read_text() + "\n")
    assert shapes.model("test") != folder


@pytest.mark.parametrize("setting", ["off", "file"])
def test_without_a_cache_it_is_in_a_temporary_folder(cache, difference, monkeypatch, setting, tmp_path):
    if setting == "file":
        (tmp_path / "taken").write_text("")
    monkeypatch.setenv("MINDONE_TCD_CACHE", "off" if setting == "off" else str(tmp_path / "taken"))
    folder = shapes.model("test")
    assert folder.parent.name.startswith("mindone-tcd-models-")
    assert (folder / "unet" / UNET.name).is_file()


def test_an_error_leaves_nothing(cache, difference, monkeypatch):
    monkeypatch.setattr(models.shutil, "copytree", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shapes.model("test")
    assert not list(cache.rglob("*.part"))


def test_a_second_difference_is_added(cache, difference, tmp_path, monkeypatch):
    second = tmp_path / "second"
    second.mkdir()
    config = json.loads((SHAPES_FOLDER / "unet" / "config.json").read_text())
    (second / "config.json").write_text(json.dumps({**config, "in_channels": 9}))
    save_file({"conv_in.weight": np.ones((64, 9, 3, 3), np.float16)}, second / models.DIFFERENCE)
    first = models.MODELS["test"].folder
    monkeypatch.setitem(models.MODELS, "both", models.Shipped(first, "StableDiffusionXLPipeline", second=second))
    folder = shapes.model("both")
    config = json.loads((folder / "unet" / "config.json").read_text())
    assert (config["time_cond_proj_dim"], config["in_channels"]) == (8, 9)
    found, alone = load_file(folder / "unet" / UNET.name), load_file(shapes.model("test") / "unet" / UNET.name)
    assert found["conv_in.weight"].shape == (64, 9, 3, 3)
    assert all((found[name] == alone[name]).all() for name in alone if name != "conv_in.weight")


@pytest.mark.parametrize("linear", ["base", "difference"])
def test_a_linear_layer_and_a_convolution_give_a_convolution(linear):
    rng = np.random.default_rng(0)
    base, a, b = (rng.normal(0, 1, shape).astype(np.float16) for shape in ((3, 5), (2, 5), (3, 2)))
    expected = base.astype(np.float32) + b.astype(np.float32) @ a.astype(np.float32)
    if linear == "base":
        a, b = a[..., None, None], b[..., None, None]
    else:
        base = base[..., None, None]
    found = models.changed({"m.weight": base}, {"m.lora_A.weight": a, "m.lora_B.weight": b})
    assert found["m.weight"].shape == (3, 5, 1, 1)
    np.testing.assert_allclose(found["m.weight"][..., 0, 0], expected, atol=5e-3)


def test_the_sibling_has_the_layout_of_sd_1_5(cache):
    folder = shapes.model("shapes-sd15")
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert index["safety_checker"] == [None, None]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "scheduler",
        "text_encoder",
        "tokenizer",
        "unet",
        "vae",
    ]
    weights = load_file(folder / "unet" / UNET.name)
    assert not any(name.startswith("add_embedding") for name in weights)
    projections = [value for name, value in weights.items() if name.endswith(("proj_in.weight", "proj_out.weight"))]
    assert projections
    assert all(value.ndim == 4 for value in projections)
    config = json.loads((folder / "unet" / "config.json").read_text())
    assert not config["use_linear_projection"]
    assert config["addition_embed_type"] is None


def test_the_loras_of_the_sibling_are_its_own():
    assert models.lora_folder("shapes-sd15", "tcd_lora") == shapes.model("sd15-tcd-lora")
    assert models.lora_folder("shapes-inpainting", "tcd_lora") == shapes.model("tcd-lora")
    names = list(load_file(shapes.model("sd15-lcm-lora") / "pytorch_lora_weights.safetensors"))
    assert all(name.startswith("lora_unet_") for name in names)
