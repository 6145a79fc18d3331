import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import check_lora, find_model, lora_file
from mindone_tcd.files.safetensors import read_header
from mindone_tcd.shapes.folder import SHAPES_FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The layout of a complete SDXL folder: a copy of the shipped one, without its LoRAs."""
    made = tmp_path / "model"
    shutil.copytree(SHAPES_FOLDER, made, ignore=shutil.ignore_patterns("*_lora"))
    return made


def test_the_shipped_model_is_known_without_loading():
    model = find_model("shapes")
    assert (model.shipped, model.local, model.pipeline_class) == (True, True, "StableDiffusionXLPipeline")
    assert (model.vae_scale, model.sample_size) == (8, 128)
    assert (model.prediction_type, model.guidance_embedded) == ("v_prediction", False)


def test_the_checks_need_only_the_standard_library():
    code = "import sys; from mindone_tcd.files.model_folder import find_model; find_model('shapes'); "
    code += "print({'numpy', 'mindspore', 'mindone', 'safetensors'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_folder(folder):
    model = find_model(str(folder))
    assert (model.local, model.location, model.shipped) == (True, str(folder), False)
    assert replace(model, name="shapes", location=str(SHAPES_FOLDER)) == find_model("shapes")


def test_a_hub_id_needs_only_its_configurations(folder, monkeypatch):
    asked = []

    def download(name, file, *, subfolder, **_):
        assert name == "owner/model"
        asked.append(f"{subfolder}/{file}" if subfolder else file)
        return folder / (subfolder or "") / file

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    model = find_model("owner/model")
    assert (model.local, model.location) == (False, "owner/model")
    assert replace(model, local=True, location=str(folder)) == replace(find_model(str(folder)), name="owner/model")
    parts = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"]
    assert sorted(asked) == parts


def test_a_hub_id_without_a_network(monkeypatch):
    def download(name, file, *, subfolder, **_):
        raise ConnectionError("Network is unreachable\nmore")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    message = (
        r"cannot fetch the model 'owner/model' \(Network is unreachable\).*download it elsewhere and give its folder"
    )
    with pytest.raises(UsageError, match=message):
        find_model("owner/model")


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        (".", "_class_name", None, r"model_index\.json: _class_name is None"),
        (".", "_class_name", ["a"], r"_class_name is \['a'\]"),
        (
            "vae",
            "block_out_channels",
            5,
            r"vae.config\.json: block_out_channels is 5; expected a list of positive integers",
        ),
        ("vae", "block_out_channels", [], r"block_out_channels is \[\]; expected a list of positive integers"),
    ],
)
def test_configurations_without_usable_fields(folder, part, key, value, message):
    path = folder / part / ("model_index.json" if part == "." else "config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UsageError, match=message):
        find_model(str(folder))


@pytest.mark.parametrize("name", ["a" * 300, "~nobody-of-this-name/model"])
def test_names_that_are_no_paths(name):
    with pytest.raises(UsageError, match=r"no model 'a|there is no home directory for '~nobody"):
        find_model(name)
    with pytest.raises(UsageError, match=r"no LoRA 'a|there is no home directory for '~nobody"):
        check_lora(name)


def test_unknown_name():
    with pytest.raises(UsageError, match=r"no model 'nonsense': expected 'shapes', an existing folder, or a hub id"):
        find_model("nonsense")


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "weights.ckpt").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file; expected the folder of a model"):
        find_model(str(tmp_path / "weights.ckpt"))


def test_no_model_index(folder):
    (folder / "model_index.json").unlink()
    with pytest.raises(UsageError, match=r"has no model_index\.json"):
        find_model(str(folder))


@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_model_index(folder, content):
    (folder / "model_index.json").write_text(content)
    with pytest.raises(UsageError, match=r"model_index\.json (cannot be read as JSON|must contain a JSON object)"):
        find_model(str(folder))


def test_missing_part(folder):
    shutil.rmtree(folder / "vae")
    with pytest.raises(UsageError, match="lacks the folder vae/"):
        find_model(str(folder))


@pytest.mark.parametrize(
    "name",
    ["tokenizer/vocab.json", "tokenizer_2/merges.txt", "text_encoder/config.json", "scheduler/scheduler_config.json"],
)
def test_missing_and_truncated_small_files(folder, name):
    path = folder / name
    if path.suffix == ".json":
        path.write_bytes(path.read_bytes()[:-2])
        with pytest.raises(UsageError, match=rf"{name} cannot be read as JSON"):
            find_model(str(folder))
    path.unlink()
    with pytest.raises(UsageError, match=path.name):
        find_model(str(folder))


def test_missing_weights_and_pickles_are_refused(folder):
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(UsageError, match=r"no \.safetensors weights \(diffusion_pytorch_model\.bin cannot be used"):
        find_model(str(folder))


def test_missing_shard(folder):
    index = {"weight_map": {"a": "part-1-of-2.safetensors"}}
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UsageError, match=r"lacks part-1-of-2\.safetensors"):
        find_model(str(folder))


@pytest.mark.parametrize("keep", [0, 4, 8, 40, -1])
def test_truncated_weights(folder, keep):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"diffusion_pytorch_model\.safetensors is (truncated|damaged)"):
        find_model(str(folder))


def test_not_a_safetensors_file(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes((4).to_bytes(8, "little") + b"nope" + bytes(8))
    with pytest.raises(UsageError, match="is not a safetensors file"):
        read_header(path)


def test_lora_files(tmp_path):
    with pytest.raises(UsageError, match="holds no safetensors file"):
        check_lora(str(tmp_path))
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "one.safetensors")
    assert lora_file(tmp_path).name == "one.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "two.safetensors")
    with pytest.raises(UsageError, match=r"; pass the path of the LoRA's file: one\.safetensors, two\.s"):
        check_lora(str(tmp_path))
    (tmp_path / "old.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="only safetensors are loaded"):
        check_lora(str(tmp_path / "old.bin"))
    with pytest.raises(UsageError, match="no LoRA 'nonsense'"):
        check_lora("nonsense")
    check_lora("h1t/TCD-SDXL-LoRA")
