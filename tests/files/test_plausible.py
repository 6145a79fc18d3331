"""Configurations of models that are larger than their weights are refused by comparing numbers, without MindSpore."""

import gzip
import json

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.config_fields import FIELDS, check_fields, class_of
from mindone_tcd.files.plausible import check_config, shapes_of
from mindone_tcd.files.safetensors import read_header
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.tiny_models.folder import LAYOUTS

PARTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}


def part(name):
    folder = SHAPES_FOLDER / name
    config = json.loads((folder / "config.json").read_text())
    return config, shapes_of([read_header(folder / f"{PARTS[name]}.safetensors")])


def check(config, shapes):
    kind = class_of(config)
    check_fields(config, kind, "x/config.json")
    check_config(config, shapes, kind, "x/config.json")


@pytest.mark.parametrize("name", PARTS)
def test_the_shipped_model_passes(name):
    check(*part(name))


def models():
    for path in sorted(LAYOUTS.glob("*.json.gz")):
        layout = json.loads(gzip.decompress(path.read_bytes()))
        for file, weights in layout["weights"].items():
            folder = file.rpartition("/")[0]
            text = layout["text"].get(f"{folder}/config.json".lstrip("/"))
            if text is not None:
                shapes = {key: tuple(shape) for key, (_, shape) in weights["tensors"].items()}
                yield pytest.param(json.loads(text), shapes, id=f"{path.name.partition('.')[0]}/{folder}")


@pytest.mark.parametrize(("config", "shapes"), models())
def test_every_layout_of_diffusers_passes(config, shapes):
    check(config, shapes)


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("unet", "layers_per_block", 10**6, "layers in a row"),
        ("unet", "layers_per_block", 2, "the weights have 1 layers in down_blocks.1"),
        ("unet", "layers_per_block", [1, 1, 10**6], "layers in a row"),
        ("unet", "block_out_channels", [10**9, 96, 128], "no size above"),
        ("unet", "block_out_channels", [1024, 1024, 1024], "the weights have 64 channels in down_blocks.0"),
        ("unet", "block_out_channels", [64, 96, 128] * 100_000, "no list longer than"),
        ("unet", "block_out_channels", [64, 96, 128, 128], "the weights have 3 blocks"),
        ("unet", "num_attention_heads", 10**9, "no size above"),
        ("unet", "num_attention_heads", 1000, "expected numbers that divide block_out_channels"),
        ("unet", "attention_head_dim", [2, 3, 5], "expected numbers that divide block_out_channels"),
        ("unet", "attention_head_dim", [2, 3], "the weights have 3 blocks"),
        ("unet", "transformer_layers_per_block", 10**6, "layers in a row"),
        ("unet", "transformer_layers_per_block", 2, "the weights have 1 layers in down_blocks.1.attentions.0"),
        ("unet", "cross_attention_dim", 10**8, "no size above"),
        ("unet", "cross_attention_dim", 2048, "the weights have the size 128 there"),
        ("unet", "in_channels", 10**5, "no size above"),
        ("unet", "norm_num_groups", 7, "which does not divide block_out_channels"),
        ("unet", "down_block_types", ["DownBlock2D"], "has 1 entries and block_out_channels 3"),
        ("vae", "layers_per_block", 10**6, "layers in a row"),
        ("vae", "layers_per_block", 2, "layers in"),
        ("vae", "block_out_channels", [2**20] * 4, "no size above"),
        ("vae", "block_out_channels", [2048] * 4, "channels in encoder.down_blocks.0"),
        ("text_encoder", "vocab_size", 10**9, "no size above 659"),
        ("text_encoder", "num_hidden_layers", 10**6, "layers in a row"),
        ("text_encoder", "hidden_size", 4096, "the weights have the size 64 there"),
        ("text_encoder", "num_attention_heads", 10**9, "no size above"),
        ("text_encoder", "num_attention_heads", 5, "expected a number that divides hidden_size 64"),
        ("text_encoder_2", "intermediate_size", 10**9, "no size above"),
        ("text_encoder_2", "max_position_embeddings", 10**9, "no size above"),
    ],
)  # fmt: skip
def test_sizes_above_those_of_the_weights_raise_an_error(name, field, value, message):
    config, shapes = part(name)
    with pytest.raises(UsageError, match=rf"^x/config\.json: {field} (is )?.*{message}") as caught:
        check({**config, field: value}, shapes)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("field", "value"), [("vocab_size", 10**12), ("num_attention_heads", 10**400), ("hidden_size", 2**31)]
)
def test_huge_numbers_raise_an_error(field, value):
    config, shapes = part("text_encoder")
    with pytest.raises(UsageError, match=rf"^x/config\.json: {field} is .*; expected a positive integer"):
        check({**config, field: value}, shapes)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("unet", "block_out_channels", "320, 640, 1280, 1280.*the weights have 3 blocks"),
        ("unet", "layers_per_block", "layers_per_block is 2, but the weights have 1 layers"),
        ("unet", "attention_head_dim", None),
        ("unet", "sample_size", None),
        ("text_encoder", "hidden_act", None),
    ],
)
def test_missing_fields_use_the_class_defaults(name, field, message):
    config, shapes = part(name)
    del config[field]
    if message is None:
        check(config, shapes)
    else:
        with pytest.raises(UsageError, match=message):
            check(config, shapes)


def test_unknown_classes_have_limits_too():
    _, shapes = part("unet")
    for field, value in {"num_layers": 10**6, "hidden_size": 10**8, "depths": [10**6]}.items():
        with pytest.raises(UsageError, match=f"{field} is"):
            check_config({field: value}, shapes, "Another", "x/config.json")


def test_keys_with_many_dots_use_little_memory():
    shapes = {"." * 900 + str(number): (1,) for number in range(20_000)}
    shapes["down_blocks.0.resnets.0.conv1.weight"] = (8, 8, 3, 3)
    check_config({"block_out_channels": [8], "layers_per_block": 1}, shapes, "UNet2DConditionModel", "x/config.json")


@pytest.mark.parametrize("kind", FIELDS)
def test_no_field_accepts_invalid_values(kind):
    for field in FIELDS[kind]:
        for value in (float("nan"), [None], {"a": [1]}):
            if field in ("additional_special_tokens", "extra_special_tokens") and value == value:
                continue  # any list or object
            with pytest.raises(UsageError, match=rf"^x: {field} is "):
                check_fields({field: value}, kind, "x")


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("UNet2DConditionModel", "in_channels", True, "a positive integer"),
        ("UNet2DConditionModel", "layers_per_block", "2", "a positive integer or a list of positive integers"),
        ("UNet2DConditionModel", "flip_sin_to_cos", None, "true or false"),
        ("AutoencoderKL", "scaling_factor", 0, "a number above 0"),
        ("AutoencoderKL", "scaling_factor", float("nan"), "a number above 0"),
        ("AutoencoderKL", "sample_size", 10**9, "an integer from 1 to 16384 or"),
        ("scheduler", "num_train_timesteps", 10**9, "an integer from 1 to 100000"),
        ("scheduler", "beta_start", "0.1", "a number above 0"),
        ("tokenizer", "bos_token", 5, "a string, or an object whose content is a string or null"),
        ("tokenizer", "added_tokens_decoder", {"x": {"content": "a"}}, "an object of tokens by ID"),
        ("special tokens", "pad_token", [], "a string, or an object whose content is a string"),
    ],
)
def test_fields_of_a_wrong_type_raise_an_error(kind, field, value, expected):
    with pytest.raises(UsageError, match=rf"^x: {field} is .*; expected {expected}.*: fetch or save the model again$"):
        check_fields({field: value}, kind, "x")
