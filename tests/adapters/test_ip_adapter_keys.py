"""The tensors that each kind of IP-Adapter file has."""

import pytest

from mindone_tcd.adapters.ip_adapter_keys import FACE_LORA, KINDS, attention_shapes, compare, kind_of

CROSS = 32
BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["proj.weight", "norm.weight"], "IP-Adapter"),
        (["proj.0.weight", "proj.3.weight"], "IP-Adapter Full Face"),
        (["perceiver_resampler.proj_in.weight", "norm.weight"], "IP-Adapter Face ID Plus"),
        (["proj.0.weight", "norm.weight"], "IP-Adapter Face ID"),
        (["latents", "proj_in.weight"], "IP-Adapter Plus"),
    ],
)
def test_the_kind_of_a_file(keys, name):
    assert kind_of(dict.fromkeys(keys)).name == name


def test_keys_of_no_kind():
    assert kind_of({}) is None
    assert kind_of({"proj_in.weight": None}) is None


def test_the_plain_kind_has_four_tokens():
    shapes = BY_NAME["IP-Adapter"].shapes({"proj.weight": (1, 20)}, CROSS)
    assert shapes == {
        "proj.weight": (4 * CROSS, 20),
        "proj.bias": (4 * CROSS,),
        "norm.weight": (CROSS,),
        "norm.bias": (CROSS,),
    }


def test_full_face():
    shapes = BY_NAME["IP-Adapter Full Face"].shapes({"proj.0.weight": (20, 20)}, CROSS)
    assert shapes["proj.0.weight"] == (20, 20)
    assert shapes["proj.2.weight"] == (CROSS, 20)
    assert shapes["proj.3.bias"] == (CROSS,)
    assert len(shapes) == 6


def test_face_id_may_have_any_number_of_tokens():
    shapes = BY_NAME["IP-Adapter Face ID"].shapes({"proj.0.weight": (45, 20), "proj.2.weight": (70, 40)}, CROSS)
    assert shapes["proj.0.weight"] == (40, 20), "a multiple of the input's width"
    assert shapes["proj.2.weight"] == (2 * CROSS, 40), "a multiple of the cross-attention's width"
    assert shapes["norm.weight"] == (CROSS,)


PLUS = {"latents": (1, 16, 24), "proj_in.weight": (24, 20), "layers.0.0.to_q.weight": (130, 24)}


def test_a_resampler_has_four_layers_and_heads_of_64():
    shapes = BY_NAME["IP-Adapter Plus"].shapes(PLUS, CROSS)
    assert shapes["latents"] == (1, 16, 24)
    assert shapes["proj_in.weight"] == (24, 20)
    assert shapes["proj_out.weight"] == (CROSS, 24)
    for k in range(4):
        assert shapes[f"layers.{k}.0.to_q.weight"] == (128, 24)
        assert shapes[f"layers.{k}.0.to_kv.weight"] == (256, 24)
        assert shapes[f"layers.{k}.0.to_out.weight"] == (24, 128)
        assert shapes[f"layers.{k}.1.1.weight"] == (96, 24)
        assert shapes[f"layers.{k}.1.3.weight"] == (24, 96)
    assert not any(key.startswith("layers.4") for key in shapes)


def test_face_id_plus_has_a_resampler_of_its_own():
    found = {
        "perceiver_resampler.proj_in.weight": (24, 20),
        "perceiver_resampler.layers.0.0.to_q.weight": (64, 24),
        "proj.0.weight": (16, 8),
    }
    shapes = BY_NAME["IP-Adapter Face ID Plus"].shapes(found, CROSS)
    assert shapes["perceiver_resampler.proj_out.weight"] == (CROSS, 24)
    assert shapes["norm.weight"] == (24,)
    assert shapes["proj.0.weight"] == (16, 8)
    assert shapes["proj.2.weight"] == (96, 16)
    assert "latents" not in shapes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_file_that_lacks_a_size_fits_no_shape(kind):
    faults, _ = compare("image_proj", {}, kind.shapes({}, CROSS))
    assert faults
    shape_less = dict.fromkeys(kind.shapes({}, CROSS), ())
    faults, _ = compare("image_proj", shape_less, kind.shapes(shape_less, CROSS))
    assert len(faults) == len(shape_less)


def test_the_attentions_are_numbered_by_odd_numbers():
    processors = [
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor",
        "down_blocks.0.motion_modules.0.transformer_blocks.0.attn2.processor",
        "up_blocks.0.attentions.0.transformer_blocks.0.attn2.processor",
        "up_blocks.1.attentions.0.transformer_blocks.0.attn2.processor",
        "mid_block.attentions.0.transformer_blocks.0.attn2.processor",
    ]
    shapes = attention_shapes(dict.fromkeys(processors), (8, 16), CROSS)
    widths = {"1": 8, "3": 16, "5": 8, "7": 16}
    assert shapes == {f"{n}.to_{k}_ip.weight": (width, CROSS) for n, width in widths.items() for k in "kv"}


def test_faults_and_unexpected_keys():
    wanted = {"a": (1, 2), "b": (3,), "c": (4,)}
    found = {"a": (1, 2), "b": (5,), "d": (1,)}
    faults, unexpected = compare("image_proj", found, wanted)
    assert faults == ["image_proj.c is missing", "image_proj.b has the shape (5,), but (3,) is needed"]
    assert unexpected == ["image_proj.d"]


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("0.to_q_lora.down.weight", True),
        ("13.to_out_lora.up.weight", True),
        ("1.to_k_ip.weight", False),
        ("a.to_q_lora.down.weight", False),
        ("0.to_q_lora.down.bias", False),
    ],
)
def test_the_keys_of_face_ids_lora(key, matches):
    assert bool(FACE_LORA.fullmatch(key)) is matches
