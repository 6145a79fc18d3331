"""One key of a LoRA file at a time."""

import pytest

from mindone_tcd.adapters.lora_keys import MatchedKey, Names, UnmatchedKey
from mindone_tcd.errors import UsageError
from mindone_tcd.files.safetensors import LONGEST_KEY

BLOCK = "down_blocks.1.attentions.0"
UNET = [f"{BLOCK}.attn1.to_q", f"{BLOCK}.attn1.to_out.0", f"{BLOCK}.proj_in", "conv_in"]
TEXT = ["layers.0.self_attn.q_proj", "layers.0.self_attn.out_proj"]


@pytest.fixture(scope="module")
def names():
    return Names({"unet": UNET, "text_encoder": TEXT}, 2)


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("lora_unet_conv_in.lora_down.weight", ("unet", "conv_in", "down", "kohya")),
        ("lora_unet_input_blocks_0_0.lora_up.weight", ("unet", "conv_in", "up", "kohya with sgm block names")),
        ("lora_unet_input_blocks_4_1_proj_in.alpha", ("unet", UNET[2], "alpha", "kohya with sgm block names")),
        ("lora_te_layers_0_self_attn_q_proj.alpha", ("text_encoder", TEXT[0], "alpha", "kohya")),
        ("lora_te1_layers_0_self_attn_out_proj.lora_up.weight", ("text_encoder", TEXT[1], "up", "kohya")),
        ("unet.conv_in.lora_A.weight", ("unet", "conv_in", "down", "PEFT")),
        ("unet.conv_in.lora_B.default.weight", ("unet", "conv_in", "up", "PEFT")),
        ("text_encoder.layers.0.self_attn.q_proj.lora_B.weight", ("text_encoder", TEXT[0], "up", "PEFT")),
        ("unet.conv_in.lora.down.weight", ("unet", "conv_in", "down", "diffusers")),
        ("unet.conv_in.lora_linear_layer.up.weight", ("unet", "conv_in", "up", "diffusers")),
        ("conv_in.lora.up.weight", ("unet", "conv_in", "up", "diffusers")),
        (f"unet.{BLOCK}.attn1.processor.to_q_lora.up.weight", ("unet", UNET[0], "up", "attention processors")),
        (f"{BLOCK}.attn1.processor.to_out_lora.down.weight", ("unet", UNET[1], "down", "attention processors")),
        (
            "text_encoder.layers.0.self_attn.to_out_lora.up.weight",
            ("text_encoder", TEXT[1], "up", "attention processors"),
        ),
        (f"{BLOCK}.attn1.processor.to_q_lora.alpha", ("unet", UNET[0], "alpha", "attention processors")),
    ],
)
def test_layouts(names, key, matched):
    assert names.match(key) == MatchedKey(*matched)


@pytest.mark.parametrize(
    ("key", "reason", "module"),
    [
        ("lora_unet_conv_out.lora_up.weight", "unknown modules of the unet", None),
        ("lora_te2_a.lora_up.weight", "keys for the text_encoder_2, which this pipeline does not have", None),
        ("text_encoder_2.a.lora_A.weight", "keys for the text_encoder_2, which this pipeline does not have", None),
        ("unet.motion_modules.0.to_q.lora_A.weight", "motion modules, which only an AnimateDiff pipeline has", None),
        ("base_model.model.conv_in.lora_A.weight", "keys in the format of PEFT's own save_pretrained", None),
        ("lora_unet_conv_in.dora_scale", "keys of DoRA", ("unet", "conv_in")),
        ("unet.conv_in.lora_magnitude_vector", "keys of DoRA", ("unet", "conv_in")),
        ("lora_unet_conv_in.lokr_w1", "keys of LyCORIS", ("unet", "conv_in")),
        ("lora_unet_conv_in.diff_b", "keys of the difference of a full weight", ("unet", "conv_in")),
        ("unet.conv_in.lora_A.bias", "keys of a bias trained with the LoRA", ("unet", "conv_in")),
        (f"{BLOCK}.attn1.processor.to_q_lora.down.bias", "keys of a bias trained", ("unet", UNET[0])),
        ("conv_in.weight", "keys of no LoRA layout", ("unet", "conv_in")),
        ("text_encoder.layers.0.self_attn.q_proj.x", "keys of no LoRA layout", ("text_encoder", TEXT[0])),
        ("lora_te2_a.x", "keys of no LoRA layout", None),
        ("weight", "keys of no LoRA layout", None),
    ],
)
def test_reasons_and_the_module_that_a_key_names(names, key, reason, module):
    found = names.match(key)
    assert isinstance(found, UnmatchedKey)
    assert (found.key, found.module) == (key, module)
    assert found.reason.startswith(reason)


def test_sgm_names_need_blocks_of_one_size():
    key = "lora_unet_input_blocks_0_0.lora_up.weight"
    assert isinstance(Names({"unet": UNET}, None).match(key), UnmatchedKey)
    assert isinstance(Names({"unet": UNET}, 2).match(key), MatchedKey)


def test_a_key_that_is_too_long(names):
    at_most = "a" * (LONGEST_KEY - len(".lora_A.weight")) + ".lora_A.weight"
    assert isinstance(names.match(at_most), UnmatchedKey)
    with pytest.raises(UsageError, match=rf"has {LONGEST_KEY + 1} characters; expected at most {LONGEST_KEY}$"):
        names.match("a" + at_most)
