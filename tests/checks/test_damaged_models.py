"""Damaged local folders in ``from_pretrained``: one line names the file or component, and the cause is attached."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mindone_tcd.errors import UsageError
from mindone_tcd.exports import get
from mindone_tcd.generate.loading import load


def edit(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refused(message, kind, *where, **options):
    with pytest.raises(UsageError, match=message) as caught:
        get(kind).from_pretrained(*map(str, where), **options)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("part", "kind", "file"),
    [
        ("unet", "UNet2DConditionModel", "diffusion_pytorch_model.safetensors"),
        ("text_encoder", "CLIPTextModel", "model.safetensors"),
    ],
)
def test_a_nan_in_the_weights(shapes, part, kind, file):
    path = shapes / part / file
    tensors = load_file(path)
    key = sorted(tensors)[3]
    tensors[key] = np.full_like(tensors[key], np.nan)
    save_file(tensors, path, metadata={"format": "pt"})
    message = rf"{file}: '{key}' holds a NaN or an infinity; expected finite numbers"
    refused(message, kind, shapes / part)
    with pytest.raises(UsageError, match=message):
        load(model=shapes, lora="none")


@pytest.mark.parametrize(
    ("part", "kind", "field", "value"),
    [
        ("unet", "UNet2DConditionModel", "layers_per_block", 10**6),
        ("unet", "UNet2DConditionModel", "num_attention_heads", 10**9),
        ("vae", "AutoencoderKL", "block_out_channels", [10**9] * 4),
        ("text_encoder", "CLIPTextModel", "vocab_size", 10**12),
    ],
)
def test_a_model_larger_than_its_weights_is_not_built(shapes, monkeypatch, part, kind, field, value):
    edit(shapes / part / "config.json", **{field: value})

    def build(*args, **options):
        raise AssertionError("the model is being built")

    monkeypatch.setattr(get(kind), "__init__", build)
    refused(rf"config\.json: {field} is ", kind, shapes / part)
    refused(rf"config\.json: {field} is ", kind, shapes, subfolder=part)
    refused(rf"config\.json: {field} is ", "DiffusionPipeline", shapes)


def test_a_component_that_the_caller_passes_is_not_checked(shapes):
    vae = get("AutoencoderKL").from_pretrained(str(shapes / "vae"))
    edit(shapes / "vae" / "config.json", layers_per_block="many")
    assert get("DiffusionPipeline").from_pretrained(str(shapes), vae=vae).vae is vae


def test_an_error_from_inside_a_library_names_the_component(shapes):
    edit(shapes / "unet" / "config.json", act_fn="nonsense")
    error = refused(r"unet cannot be loaded \(\w+: .*\); fetch or save the model again", "DiffusionPipeline", shapes)
    assert error.__cause__ is not None
    (shapes / "tokenizer_2" / "tokenizer.json").write_text('{"model": {}}')
    (shapes / "tokenizer_2" / "vocab.json").unlink()
    (shapes / "tokenizer_2" / "merges.txt").unlink()
    edit(shapes / "unet" / "config.json", act_fn="silu")
    refused(rf"tokenizer_2 of {shapes} cannot be loaded", "DiffusionPipeline", shapes)


def test_files_of_the_tokenizer_and_the_scheduler_are_checked_before_any_weights(shapes, monkeypatch):
    (shapes / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    refused(r"tokenizer/merges\.txt is not a tokenizer file: it has no merges", "DiffusionPipeline", shapes)
    (shapes / "scheduler" / "scheduler_config.json").write_text("{}")
    refused(r"scheduler_config\.json has none of a scheduler's fields", "DDIMScheduler", shapes / "scheduler")
