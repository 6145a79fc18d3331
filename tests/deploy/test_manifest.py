"""The manifest of an exported folder: what is written is read again, and every damaged field is refused."""

import copy
import json
from pathlib import Path

import pytest

from mindone_tcd.deploy.manifest import FILE, FORMAT, is_exported, read_manifest
from mindone_tcd.errors import UsageError

DIGEST = "ab" * 32
GRAPHS = [
    ("text_encoder", None, [("ids", [1, 32], "int64")]),
    ("text_encoder_2", None, [("ids", [1, 32], "int64")]),
    ("unet", [128, 64], [("latents", [1, 4, 8, 16], "float32")]),
    ("vae_decoder", [128, 64], [("latents", [1, 4, 8, 16], "float32")]),
]
MANIFEST = {
    "format": FORMAT,
    "family": "SDXL",
    "model": {
        "sample_size": 128,
        "vae_scale": 8,
        "cross_attention_dim": 128,
        "prediction_type": "epsilon",
        "guidance_embedded": False,
    },
    "recipe": {"method": "tcd", "steps": 4, "guidance_scale": 0.0, "eta": 0.3},
    "record": {"model": "shapes", "model_from": "package"},
    "settings": {
        "scaling_factor": 0.13,
        "latent_channels": 4,
        "latents_mean": None,
        "latents_std": None,
        "zero_negative": True,
        "guidance_width": None,
    },
    "scheduler": {"beta_start": 0.00085},
    "dtype": "float32",
    "vae_dtype": "float32",
    "batch": 1,
    "sizes": [[128, 64]],
    "graphs": [
        {
            "part": part,
            "size": size,
            "file": f"{part}/graph.mindir",
            "weights": f"{part}/weights.safetensors",
            "inputs": [{"name": name, "shape": shape, "dtype": dtype} for name, shape, dtype in inputs],
            "outputs": [{"name": "output_0", "shape": [1, 4], "dtype": "float32"}],
        }
        for part, size, inputs in GRAPHS
    ],
    "files": {f"{part}/{name}": DIGEST for part, *_ in GRAPHS for name in ("graph.mindir", "weights.safetensors")},
    "versions": {"mindspore": "2.7.1"},
}


def written(folder: Path, content) -> Path:
    (folder / FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_read_and_write_again(tmp_path):
    manifest = read_manifest(written(tmp_path, MANIFEST))
    assert is_exported(tmp_path)
    assert manifest.sizes == ((128, 64),)
    assert manifest.graph("unet", (128, 64)).inputs[0].shape == (1, 4, 8, 16)
    assert manifest.graph("text_encoder", (128, 64)).size is None
    assert manifest.parts() == [part for part, *_ in GRAPHS]
    other = tmp_path / "other"
    other.mkdir()
    manifest.write(other)
    again = read_manifest(other)
    assert again.sha256 != manifest.sha256  # the text is formatted in another way
    again.write(tmp_path)
    assert read_manifest(tmp_path) == again


def test_another_folder_is_not_exported(tmp_path):
    assert not is_exported(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["format"], "mindone-tcd export 2", "has the format 'mindone-tcd export 2'"),
        (["family"], "Flux", "family is 'Flux'"),
        (["dtype"], "int64", "dtype is 'int64'"),
        (["batch"], 0, "batch is 0"),
        (["batch"], True, "batch is True"),
        (["sizes"], [], "sizes is empty"),
        (["sizes"], [[128, 64], [64, 64]], "no graph unet for 64x64"),
        (["sizes"], [[128, -64]], "a size is -64"),
        (["settings", "scaling_factor"], float("inf"), "scaling_factor is inf"),
        (["settings", "scaling_factor"], 0, "scaling_factor is 0"),
        (["settings", "latents_mean"], [1, 2], "latents_mean is [1, 2]"),
        (["settings", "zero_negative"], "no", "zero_negative is 'no'"),
        (["settings", "guidance_width"], 1 << 40, "guidance_width is"),
        (["model", "vae_scale"], 6, "vae_scale is 6"),
        (["model", "sample_size"], "128", "sample_size is '128'"),
        (["model", "guidance_embedded"], 1, "guidance_embedded is 1"),
        (["graphs", 0, "file"], "other.mindir", "names the file 'other.mindir'"),
        (["graphs", 0, "weights"], "../weights", "names the file '../weights'"),
        (["graphs", 0, "file"], None, "the file of a graph is None"),
        (["graphs", 2, "size"], [256, 64], "a graph has the size (256, 64)"),
        (["graphs", 2, "inputs", 0, "shape"], [1, -1], "a shape is [1, -1]"),
        (["graphs", 2, "inputs", 0, "dtype"], "object", "dtype of an input is 'object'"),
        (["graphs", 2, "inputs"], {}, "inputs is {}"),
        (["files", "../up"], DIGEST, "'../up' is not the name of a file"),
        (["files", "/etc/passwd"], DIGEST, "'/etc/passwd' is not the name of a file"),
        (["files", "a\\b"], DIGEST, "is not the name of a file"),
        (["files", "unet/graph.mindir"], "ab", "the digest of 'unet/graph.mindir' is 'ab'"),
    ],
)
def test_a_damaged_field_is_refused(tmp_path, path, value, said):
    content = copy.deepcopy(MANIFEST)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError) as refusal:
        read_manifest(written(tmp_path, content))
    assert said in str(refusal.value)
    assert str(tmp_path / FILE) in str(refusal.value)
    assert "export the pipeline again" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("field", sorted(MANIFEST))
def test_a_missing_field_is_refused(tmp_path, field):
    content = {name: value for name, value in MANIFEST.items() if name != field}
    with pytest.raises(UsageError, match=field):
        read_manifest(written(tmp_path, content))


@pytest.mark.parametrize("content", ["[]", "{", '{"format": ' + "[" * 10_000])
def test_other_json_is_refused(tmp_path, content):
    with pytest.raises(UsageError, match=FILE):
        read_manifest(written(tmp_path, content))
