"""Requests to the package modelscope, which a fake replaces."""

import json

import pytest
from hubs import fake_modelscope
from scripts import write_files

from mindone_tcd.errors import UsageError
from mindone_tcd.files import modelscope_hub, reachability

NAME = "owner/model"


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    index = {"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [None, None]}
    files = {
        "model_index.json": json.dumps(index),
        "unet/config.json": "{}",
        "unet/diffusion_pytorch_model.safetensors": "w",
        "unet/diffusion_pytorch_model.bin": "w",
        "safety_checker/config.json": "{}",
        "image.png": "i",
    }
    write_files(root, files)
    return root


@pytest.fixture
def fetched(monkeypatch, tmp_path, repository):
    monkeypatch.setattr(reachability, "reachable", lambda endpoint: True)
    return fake_modelscope(monkeypatch, {NAME: repository}, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("model.safetensors", None),
        ("diffusion_pytorch_model.fp16.safetensors", "fp16"),
        ("model-00001-of-00002.safetensors", None),
        ("model.fp16-00001-of-00002.safetensors", "fp16"),
    ],
)
def test_names_of_weights(name, variant):
    assert modelscope_hub.WEIGHTS.fullmatch(name)["variant"] == variant


@pytest.mark.parametrize("name", ["model.bin", "pytorch_model.safetensors", "model.a.b.safetensors", "model.fp16.onnx"])
def test_other_names(name):
    assert modelscope_hub.WEIGHTS.fullmatch(name) is None


def test_a_whole_pipeline_without_the_components_that_it_lacks(fetched):
    folder = modelscope_hub.fetch_folder(NAME, None, True, {})
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"}


def test_a_model_of_a_subfolder_and_of_the_top(fetched, repository):
    folder = modelscope_hub.fetch_folder(NAME, "unet", False, {})
    assert (folder / "unet" / "config.json").is_file()
    assert fetched == ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    (repository / "model_index.json").unlink()
    with pytest.raises(UsageError, match=r"^owner/model on ModelScope has no model in its top folder; look there"):
        modelscope_hub.fetch_folder(NAME, None, False, {})
    with pytest.raises(UsageError, match="has no model in vae; look there for the right subfolder"):
        modelscope_hub.fetch_folder(NAME, "vae", False, {})


def test_files_of_a_variant_or_without_one():
    plain, half = "a/model.safetensors", "a/model.fp16.safetensors"
    files = ["a/config.json", plain, half, "a/b/config.json", "b/config.json", "a/model.bin"]
    assert modelscope_hub.needed(files, "a/", "fp16") == ["a/config.json", half]
    for variant in (None, "bf16"):
        assert modelscope_hub.needed(files, "a/", variant) == ["a/config.json", plain]


def test_options_are_handed_on_as_text(fetched, tmp_path):
    cache = tmp_path / "other"
    found = modelscope_hub.fetch_file(NAME, "image.png", "image", {"cache_dir": cache, "revision": None, "token": None})
    assert found == cache / NAME / "image.png"


@pytest.mark.parametrize("option", ["token", "proxies", "force_download"])
def test_options_that_modelscope_does_not_have(fetched, option):
    for function in (modelscope_hub.repository_here, modelscope_hub.list_files):
        with pytest.raises(UsageError, match=f"^the hub modelscope does not support {option}; leave it out"):
            function(NAME, "model", {option: True})
    assert fetched == []


def test_the_list_has_files_alone(fetched, repository):
    files = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    assert set(modelscope_hub.list_files(NAME, "model", {})) == files


def test_the_cache_is_used_alone_on_request_or_without_a_network(fetched, monkeypatch):
    assert modelscope_hub.repository_here(NAME, "model", {}) is None
    modelscope_hub.fetch_file(NAME, "image.png", "image", {})
    fetched.clear()
    here = modelscope_hub.repository_here(NAME, "model", {"local_files_only": True})
    assert here.name == "model"
    asked = []
    monkeypatch.setattr(reachability, "reachable", lambda endpoint: asked.append(endpoint))
    assert modelscope_hub.repository_here(NAME, "model", {}) == here
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "mirror.example")
    modelscope_hub.fetch_file(NAME, "image.png", "image", {})
    assert asked == ["https://www.modelscope.cn", "https://mirror.example"]
    with pytest.raises(UsageError, match=r"^cannot fetch the image 'owner/model' .*\(there is no unet/config\.json\)"):
        modelscope_hub.fetch_file(NAME, "unet/config.json", "image", {})
    assert fetched == []
