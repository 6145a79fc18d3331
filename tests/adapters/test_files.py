"""Find adapter files in folders and in the hub cache, and read them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hubs import cached_snapshot
from safetensors.numpy import save_file

from mindone_tcd.adapters.files import as_arrays, find, read_safetensors
from mindone_tcd.adapters.records import distillation
from mindone_tcd.errors import UsageError

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float16), "c.alpha": np.array(8)}


def test_reading_keeps_names_shapes_dtypes_and_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path, metadata={"ss_output_name": "tcd"})
    found, metadata = read_safetensors(path)
    assert metadata == {"ss_output_name": "tcd"}
    assert found.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_bfloat16_is_converted_to_float32_exactly(tmp_path):
    values = np.array([1.0, -2.5, 3.140625, 1e-30], np.float32).view(np.uint32) & 0xFFFF0000
    raw = (values >> 16).astype(np.uint16).tobytes()
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, len(raw)]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw)
    found = read_safetensors(path)[0]["x"]
    np.testing.assert_array_equal(found, values.view(np.float32).reshape(2, 2))


def test_eight_bit_floats_are_refused(tmp_path):
    header = json.dumps({"x": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(UsageError, match="'x' has the dtype F8_E4M3; expected float32, float16 or bfloat16"):
        read_safetensors(path)


def test_folders_and_files(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    save_file(TENSORS, inner / "one.safetensors")
    assert find(tmp_path, None, "inner", "LoRA").name == "one.safetensors"
    assert find(str(tmp_path), "one.safetensors", "inner", "LoRA").parent == inner
    assert find(inner / "one.safetensors", None, None, "LoRA").name == "one.safetensors"
    assert find(inner, None, None, "LoRA").name == "one.safetensors"
    with pytest.raises(UsageError, match="has no folder outer; expected the LoRA there"):
        find(tmp_path, None, "outer", "LoRA")
    with pytest.raises(UsageError, match=r"is a file, but weight_name='two\.safetensors' names another"):
        find(inner / "one.safetensors", "two.safetensors", None, "LoRA")
    with pytest.raises(UsageError, match="no LoRA None: expected a folder"):
        find(None, None, None, "LoRA")


@pytest.mark.parametrize("weight_name", [None, "lcm.safetensors"])
def test_a_hub_id_comes_from_the_cache_without_network(tmp_path, weight_name):
    snapshot = cached_snapshot(tmp_path, "owner/lcm-lora")
    snapshot.mkdir(parents=True)
    save_file(TENSORS, snapshot / "lcm.safetensors")
    found = find("owner/lcm-lora", weight_name, None, "LoRA", cache_dir=str(tmp_path))
    assert found == snapshot / "lcm.safetensors"
    with pytest.raises(UsageError, match="cannot fetch the LoRA 'owner/other'"):
        find("owner/other", weight_name, None, "LoRA", cache_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("listing", "subfolder", "wanted"),
    [
        (["README.md", "papercut.safetensors", "images/a.png"], None, "papercut.safetensors"),
        (["a.safetensors", "pytorch_lora_weights.safetensors"], None, "pytorch_lora_weights.safetensors"),
        (["a.safetensors", "v2/b.safetensors"], "v2", "b.safetensors"),
    ],
)
def test_the_file_of_a_repository_on_the_hub(monkeypatch, tmp_path, listing, subfolder, wanted):
    import huggingface_hub as hf

    asked = []

    def download(name, file, subfolder, **options):
        asked.append((name, file, subfolder))
        return str(tmp_path / file)

    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in listing])
    monkeypatch.setattr(hf.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("mindone_tcd.files.reachability.reachable", lambda endpoint: True)
    monkeypatch.setattr(hf, "model_info", lambda name, **options: info)
    monkeypatch.setattr(hf, "hf_hub_download", download)
    assert find("owner/name", None, subfolder, "LoRA").name == wanted
    assert asked == [("owner/name", wanted, subfolder)]
    info.siblings = []
    with pytest.raises(
        UsageError, match=r"owner/name holds 0 safetensors files \(none\); pass the name of the LoRA's file as weight_n"
    ):
        find("owner/name", None, subfolder, "LoRA")


def test_a_dict_must_contain_only_tensors():
    with pytest.raises(UsageError, match=r"'x' is a builtins\.list; expected a MindSpore tensor or an array"):
        as_arrays({"x": [1.0]})


@pytest.mark.parametrize(
    ("metadata", "names", "method"),
    [
        ({}, ["pytorch_lora_weights.safetensors", "lcm-lora-sdxl"], "lcm"),
        ({}, ["pytorch_lora_weights.safetensors", "TCD-SDXL-LoRA"], "tcd"),
        ({"ss_output_name": "my_tcd_v2"}, ["lcm.safetensors"], "tcd"),
        ({"modelspec.title": "papercut"}, ["papercut.safetensors", "default_0"], None),
        ({}, ["style.safetensors", "folder", "tcd"], "tcd"),
        ({}, ["calcmap.safetensors", "sdxl4tcd", "tcdv2"], None),
        ({}, ["lcm-and-tcd.safetensors", "tcd"], None),
    ],
)
def test_which_distillation(metadata, names, method):
    assert distillation(metadata, names) == method


@pytest.mark.parametrize("what", ["LoRA", "IP-Adapter"])
def test_several_files_in_a_folder(what, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    expected = rf"; pass the name of the {what}'s file as weight_name: one\.safetensors, two\.safetensors$"
    with pytest.raises(UsageError, match=expected):
        find(tmp_path, None, None, what)
