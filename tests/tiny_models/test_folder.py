"""Folders of tiny random models are complete and repeatable, differ by seed, and invalid requests are refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from mindone_tcd import UsageError
from mindone_tcd.tiny_models import LAYOUTS, NAMES, make

LORA = "pytorch_lora_weights.safetensors"


def test_every_layout_has_a_name_and_every_name_a_layout():
    assert {path.name.removesuffix(".json.gz") for path in LAYOUTS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_all_weights_exist_and_are_used(tmp_path, name):
    folder = make(name, tmp_path / "new" / name)
    files = sorted(folder.rglob("*.safetensors"))
    assert files
    for path in files:
        for key, tensor in load_file(path).items():
            assert np.isfinite(tensor).all(), (path, key)
            assert np.abs(tensor).max() > 0, (path, key)


def test_a_pipelines_index_names_its_folders(tmp_path):
    folder = make("sdxl", tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    parts = {part for part, entry in index.items() if isinstance(entry, list) and entry[0]}
    assert parts == {path.name for path in folder.iterdir() if path.is_dir()}
    assert (folder / "tokenizer_2" / "vocab.json").is_file()


def test_values_depend_only_on_the_seed(tmp_path):
    first, again, other = (make("lora-sdxl", tmp_path / n, seed=s) / LORA for n, s in (("a", 0), ("b", 0), ("c", 1)))
    assert first.read_bytes() == again.read_bytes()
    a, c = load_file(first), load_file(other)
    assert {k: v.shape for k, v in a.items()} == {k: v.shape for k, v in c.items()}
    assert all((a[key] != c[key]).any() for key in a)


def test_the_two_text_encoders_do_not_share_values(tmp_path):
    folder = make("sdxl", tmp_path)
    key = "text_model.encoder.layers.0.layer_norm1.bias"
    first, second = (load_file(folder / part / "model.safetensors")[key] for part in ("text_encoder", "text_encoder_2"))
    assert (first[:8] != second[:8]).any()


def test_variant_fp16_has_its_name_and_dtype(tmp_path):
    full = load_file(make("controlnet-sdxl", tmp_path / "full") / "diffusion_pytorch_model.safetensors")
    half = load_file(
        make("controlnet-sdxl", tmp_path / "h", variant="fp16") / "diffusion_pytorch_model.fp16.safetensors"
    )
    assert not (tmp_path / "h" / "diffusion_pytorch_model.safetensors").exists()
    for key, tensor in half.items():
        assert tensor.dtype == np.float16
        np.testing.assert_array_equal(tensor, full[key].astype(np.float16))


def test_invalid_arguments_raise_an_error(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    for arguments, options, message in (
        (("sdxxl", tmp_path / "x"), {}, "no tiny model 'sdxxl'; choose one of: sdxl, "),
        (("sdxl", tmp_path), {}, "is not an empty folder"),
        (("sdxl", tmp_path / "mine.txt"), {}, "is not an empty folder"),
        (("sdxl", tmp_path / "x"), {"variant": "fp8"}, "unknown variant 'fp8'; expected 'fp16' or None"),
    ):
        with pytest.raises(UsageError, match=message):
            make(*arguments, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
