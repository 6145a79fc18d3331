"""Match the keys of LoRA files: real modules of SDXL and SD 1.5, every layout, alphas, and unmatched keys."""

import json
import re
import time

import cases
import layouts as lay
import model_modules as mm
import numpy as np
import pytest

from mindone_tcd.adapters.lora_keys import MatchedKey, Names, UnmatchedKey
from mindone_tcd.adapters.lora_plan import describe, make_plan
from mindone_tcd.adapters.module_names import flat_names, sgm_name
from mindone_tcd.errors import UsageError

XL = {"unet": mm.unet_shapes(mm.SDXL)} | mm.SDXL_TEXT
SD = {"unet": mm.unet_shapes(mm.SD15)} | mm.SD15_TEXT
SD21 = {"unet": mm.unet_shapes(mm.SD21)}


def hollow(shapes, targets, rank=64, alpha=8.0):
    """Like layouts.draw, without storage: every matrix is one broadcast number."""
    zero = np.zeros((), np.float16)
    lora = {}
    for component, modules in shapes.items():
        for path, shape in modules.items():
            if any(path == name or path.endswith(f".{name}") for name in targets):
                down = np.broadcast_to(zero, (rank, *shape[1:]))
                up = np.broadcast_to(zero, (shape[0], rank, *(1,) * (len(shape) - 2)))
                lora[component, path] = lay.Matrices(down, up, alpha)
    return lora


def plan_of(file, shapes, metadata=None):
    return make_plan(file, metadata or {}, shapes, 2)


@pytest.mark.parametrize(
    ("shapes", "targets", "modules"),
    [(XL, lay.STYLE, 722), (XL, lay.DISTILLED, 788), (SD, lay.DISTILLED, 278), (SD21, lay.DISTILLED, 278)],
    ids=["SDXL style", "lcm-lora-sdxl", "lcm-lora-sdv1-5", "SD 2.1"],
)
@pytest.mark.parametrize("layout", [lay.kohya, lay.peft, lay.diffusers, lay.mixed])
def test_all_modules_of_the_published_loras_match(shapes, targets, modules, layout):
    lora = hollow({"unet": shapes["unet"]}, targets)
    assert len(lora) == modules
    plan = plan_of(layout(lora), shapes)
    assert not plan.left_out
    assert {("unet", path) for path in plan.modules["unet"]} == set(lora)


@pytest.mark.parametrize("targets", [lay.STYLE, lay.DISTILLED, (*lay.DISTILLED, *lay.TOP)])
def test_all_modules_of_sdxl_match_with_sgm_names(targets):
    lora = hollow(XL, (*targets, *lay.TEXT))
    plan = plan_of(lay.kohya_sgm(lora, mm.SDXL), XL)
    assert not plan.left_out
    assert {(c, path) for c, modules in plan.modules.items() for path in modules} == set(lora)
    assert plan.layouts == ("kohya with sgm block names", "kohya")


def test_sgm_names_of_sd_1_5():
    lora = hollow({"unet": SD["unet"]}, (*lay.DISTILLED, *lay.TOP))
    plan = plan_of(lay.kohya_sgm(lora, mm.SD15), SD)
    assert not plan.left_out
    assert set(plan.modules["unet"]) == {path for _, path in lora}


def test_attention_processors_of_sdxl():
    lora = hollow(XL, (*lay.ATTENTION, *lay.TEXT[:4]))
    plan = plan_of(lay.processors(lora), XL)
    assert not plan.left_out
    assert sum(map(len, plan.modules.values())) == len(lora) == 560 + 48 + 128


@pytest.mark.parametrize(
    ("key", "component", "path"),
    [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", "unet",
         "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"),
        ("lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_0_proj", "unet",
         "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj"),
        ("lora_unet_middle_block_1_proj_in", "unet", "mid_block.attentions.0.proj_in"),
        ("lora_unet_middle_block_2_out_layers_3", "unet", "mid_block.resnets.1.conv2"),
        ("lora_unet_output_blocks_5_1_transformer_blocks_1_attn2_to_out_0", "unet",
         "up_blocks.1.attentions.2.transformer_blocks.1.attn2.to_out.0"),
        ("lora_unet_output_blocks_2_2_conv", "unet", "up_blocks.0.upsamplers.0.conv"),
        ("lora_unet_output_blocks_8_0_skip_connection", "unet", "up_blocks.2.resnets.2.conv_shortcut"),
        ("lora_unet_input_blocks_3_0_op", "unet", "down_blocks.0.downsamplers.0.conv"),
        ("lora_unet_input_blocks_1_0_emb_layers_1", "unet", "down_blocks.0.resnets.0.time_emb_proj"),
        ("lora_unet_input_blocks_0_0", "unet", "conv_in"),
        ("lora_unet_out_2", "unet", "conv_out"),
        ("lora_unet_time_embed_0", "unet", "time_embedding.linear_1"),
        ("lora_unet_label_emb_0_2", "unet", "add_embedding.linear_2"),
        ("lora_unet_conv_in", "unet", "conv_in"),
        ("lora_unet_time_embedding_linear_2", "unet", "time_embedding.linear_2"),
        ("lora_te1_text_model_encoder_layers_11_mlp_fc1", "text_encoder", "text_model.encoder.layers.11.mlp.fc1"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", "text_encoder",
         "text_model.encoder.layers.0.self_attn.q_proj"),
        ("lora_te2_text_model_encoder_layers_31_self_attn_out_proj", "text_encoder_2",
         "text_model.encoder.layers.31.self_attn.out_proj"),
        ("lora_te2_text_projection", "text_encoder_2", "text_projection"),
    ],
)  # fmt: skip
def test_names_in_published_files(key, component, path):
    names = Names(XL, 2)
    for suffix, part in ((".lora_down.weight", "down"), (".lora_up.weight", "up"), (".alpha", "alpha")):
        matched = names.match(key + suffix)
        assert (matched.component, matched.path, matched.part) == (component, path, part)


@pytest.mark.parametrize(
    ("key", "path", "part"),
    [
        ("unet.{}.attn1.to_q.lora_A.weight", "{}.attn1.to_q", "down"),
        ("unet.{}.attn1.to_q.lora_B.default_0.weight", "{}.attn1.to_q", "up"),
        ("unet.{}.attn1.processor.to_out_lora.up.weight", "{}.attn1.to_out.0", "up"),
        ("unet.{}.attn1.to_out.0.lora.down.weight", "{}.attn1.to_out.0", "down"),
        ("unet.{}.attn2.processor.to_k_lora.alpha", "{}.attn2.to_k", "alpha"),
        ("unet.{}.attn2.to_k.alpha", "{}.attn2.to_k", "alpha"),
        ("{}.attn1.processor.to_v_lora.down.weight", "{}.attn1.to_v", "down"),
    ],
)
def test_dotted_names(key, path, part):
    block = "down_blocks.1.attentions.0.transformer_blocks.0"
    assert isinstance(matched := Names(XL, 2).match(key.format(block)), MatchedKey)
    assert (matched.component, matched.path, matched.part) == ("unet", path.format(block), part)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("lora_unet_down_blocks_7_attentions_0_proj_in.lora_down.weight", "unknown modules of the unet"),
        ("unet.down_blocks.1.attentions.0.norm.lora_A.weight", "unknown modules of the unet"),
        ("unet.mid_block.motion_modules.0.proj_in.lora_A.weight", "only an AnimateDiff pipeline has"),
        ("lora_te3_layers_0.lora_down.weight", "unknown modules"),
        ("transformer.blocks.0.attn.to_q.lora_A.weight", "unknown modules"),
        ("lora_unet_conv_in.dora_scale", "DoRA"),
        ("unet.conv_in.lora_magnitude_vector", "DoRA"),
        ("lora_unet_conv_in.hada_w1_a", "LyCORIS"),
        ("lora_unet_conv_in.lora_mid.weight", "LyCORIS"),
        ("lora_unet_conv_in.diff", "difference of a full weight"),
        ("unet.conv_in.lora_B.bias", "a bias"),
        ("base_model.model.conv_in.lora_A.weight", "save_pretrained"),
        ("state.step", "no LoRA layout"),
    ],
)
def test_unmatched_keys_have_a_reason(key, reason):
    found = Names(XL, 2).match(key)
    assert isinstance(found, UnmatchedKey)
    assert reason in found.reason


def test_a_component_that_the_pipeline_does_not_have():
    found = Names(SD, 2).match("lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha")
    assert found.reason == "keys for the text_encoder_2, which this pipeline does not have"


SMALL = {"unet": {"a.to_q": (8, 6), "a.conv1": (4, 6, 3, 3)}}


def small(**changes):
    lora = lay.draw(SMALL, ("to_q", "conv1"), 2, 1.0)
    file = lay.kohya(lora)
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            del file[name]
        else:
            file[name] = value
    return file


@pytest.mark.parametrize(
    ("changes", "reason", "keys"),
    [
        ({"lora_unet_a_to_q__lora_up__weight": None}, "without the up matrix", 2),
        ({"lora_unet_a_to_q__lora_down__weight": None}, "without the down matrix", 2),
        ({"lora_unet_a_to_q__lora_down__weight": np.zeros((2, 7), np.float32)}, "(2, 7)", 3),
        ({"lora_unet_a_to_q__lora_up__weight": np.zeros((8, 3), np.float32)}, "(8, 3)", 3),
        ({"lora_unet_a_conv1__lora_down__weight": np.zeros((2, 6), np.float32)}, "(rank, 6, 3, 3)", 3),
        ({"lora_unet_a_to_q__lora_down__weight": np.zeros((2, 6), np.int64)}, "not of a floating dtype", 3),
        ({"lora_unet_a_to_q__lora_down__weight": np.zeros((0, 6), np.float32)}, "of another shape", 3),
        ({"lora_unet_a_to_q__alpha": np.zeros(2, np.float32)}, "not a single finite number", 3),
        ({"lora_unet_a_to_q__alpha": np.array(np.nan, np.float32)}, "not a single finite number", 3),
        ({"unet.a.to_q.lora_A.weight": np.zeros((2, 6), np.float32)}, "under another spelling", 1),
    ],
)
def test_tensors_that_do_not_match(changes, reason, keys):
    plan = make_plan(small(**changes), {}, SMALL, 2)
    assert len(plan.left_out) == keys
    assert all(reason in item.reason for item in plan.left_out)
    assert len(plan.modules["unet"]) == (2 if reason == "under another spelling" else 1)


@pytest.mark.parametrize("layout", [lay.kohya, lay.peft, lay.diffusers, lay.processors])
@pytest.mark.parametrize(
    "companion",
    [
        "dora_scale",
        "lora_magnitude_vector",
        "lora_magnitude_vector.weight",
        "lora_magnitude_vector.default_0.weight",
        "lora_B.bias",
        "lora_B.default_0.bias",
        "lora_up.bias",
        "lora.up.bias",
        "lora_linear_layer.up.bias",
        "diff_b",
        "of_tomorrow",
    ],
)
def test_a_module_with_more_than_its_matrices_is_skipped_completely(layout, companion):
    shapes = {
        "unet": {"a.attn1.to_q": (8, 6), "a.attn1.to_out.0": (8, 6)},
        "text_encoder": {"a.self_attn.q_proj": (8, 6), "a.self_attn.out_proj": (8, 6)},
    }
    lora = lay.draw(shapes, (*lay.ATTENTION, *lay.TEXT), 2, 1.0)
    file, odd = layout(lora), set()
    for component, path in (("unet", "a.attn1.to_out.0"), ("text_encoder", "a.self_attn.out_proj")):
        keys = list(layout({(component, path): lora[component, path]}))
        stem = re.sub(r"\.(lora|lora_linear_layer|lora_down|lora_A|down)\..*", "", keys[0])
        odd |= {*keys, f"{stem}.{companion}"}
        file[f"{stem}.{companion}"] = np.ones(8, np.float32)
    plan = make_plan(file, {}, shapes, 2)
    assert {item.key for item in plan.left_out} == odd
    assert {component: list(modules) for component, modules in plan.modules.items()} == {
        "unet": ["a.attn1.to_q"],
        "text_encoder": ["a.self_attn.q_proj"],
    }


def test_alpha_0_d_1_d_and_whole_numbers():
    for value in (np.array(8), np.array([8.0], np.float16), np.array(8.0, np.float32)):
        plan = make_plan(small(lora_unet_a_to_q__alpha=value), {}, SMALL, 2)
        assert plan.modules["unet"]["a.to_q"].alpha == 8.0
        assert plan.modules["unet"]["a.conv1"].alpha == 1.0


def test_without_an_alpha_the_rank_of_the_first_module_applies():
    lora = lay.draw(SMALL, ("to_q", "conv1"), lambda k: (4, 2)[k], None)
    assert {m.alpha for m in make_plan(lay.peft(lora), {}, SMALL, 2).modules["unet"].values()} == {4.0}


def test_alpha_of_the_configuration_in_the_metadata():
    plan = plan_of(lay.peft(cases.configured_lora()), cases.shapes(cases.tiny.XL), cases.configuration())
    found = {path.rpartition(".")[2]: (m.rank, m.alpha) for path, m in plan.modules["unet"].items()}
    assert found == {"to_q": (4, 3.0), "to_k": (4, 3.0), "to_v": (8, 5.0), "0": (4, 3.0)}
    stable = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": True})}
    lora = lay.draw(SMALL, ("to_q",), 4, None)
    module = make_plan(lay.peft(lora), stable, SMALL, 2).modules["unet"]["a.to_q"]
    assert module.alpha / module.rank == pytest.approx(8 / 2)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"unet.lora_alpha": "much"}', '{"unet.lora_alpha": NaN}', '{"unet.lora_alpha": true}',
     '{"unet.alpha_pattern": [1]}', '{"unet.alpha_pattern": {"to_q": Infinity}}', '{"a":' * 100_000],
)  # fmt: skip
def test_metadata_that_cannot_be_read(text):
    with pytest.raises(UsageError, match=r"metadata 'lora_adapter_metadata' cannot be read .* save the LoRA again"):
        make_plan(small(), {"lora_adapter_metadata": text}, SMALL, 2)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "(.*a){25}"])
def test_a_pattern_that_is_no_module_name_is_refused_and_never_compiled(pattern):
    metadata = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 1, "unet.alpha_pattern": {pattern: 1}})}
    with pytest.raises(UsageError, match=r"has the pattern '.*expected module names"):
        make_plan(small(), metadata, SMALL, 2)


def test_a_key_longer_than_any_modules_is_refused():
    with pytest.raises(UsageError, match=r"the key 'unet\.a\..*…' has 5000005 characters; expected at most 1000$"):
        make_plan({"unet." + "a." * 2_500_000: np.ones(2, np.float32)}, {}, SMALL, 2)


@pytest.mark.parametrize(
    "key", ["unet." + "a." * 490 + "dora_scale", "." * 1000, ".lora_A" * 140, "lora_unet_" + ".alpha" * 160 + "x"]
)
def test_a_key_with_many_dots_is_looked_up_a_few_times(key):
    names, looked_up = Names(SMALL, 2), []
    path = names._path
    names._path = lambda *args: looked_up.append(args[1]) or path(*args)
    assert isinstance(names.match(key), UnmatchedKey)
    deepest = max(name.count(".") for name in SMALL["unet"])
    assert len(looked_up) <= deepest + 3


def test_the_time_grows_linearly_with_the_number_of_keys():
    """Four times the keys must not take sixteen times as long. The test measures CPU time, the best of three."""

    def seconds(count):
        file = {f"unet.{'a.' * 400}{number}.dora_scale": np.ones(1, np.float32) for number in range(count)}
        times = []
        for _ in range(3):
            start = time.process_time()
            assert len(make_plan(file, {}, SMALL, 2).left_out) == count
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(8_000) < 10 * seconds(2_000)


def test_the_wrong_base_model_is_named():
    file = lay.peft(hollow({"unet": SD["unet"]}, ("attn2.to_k",)))
    reasons = [item.reason for item in plan_of(file, XL).left_out]
    assert any("(the width of SD 1.x; this model has that of SDXL)" in reason for reason in reasons)


def test_the_description_is_short_and_gives_the_number():
    unmatched = tuple(UnmatchedKey(f"lora_unet_x_{k}.alpha", "unknown modules of the unet") for k in range(900))
    text = describe((*unmatched, UnmatchedKey("odd", "keys of no LoRA layout")))
    assert text == (
        "900 unknown modules of the unet: 'lora_unet_x_0.alpha', 'lora_unet_x_1.alpha', 'lora_unet_x_2.alpha', …; "
        "1 keys of no LoRA layout: 'odd'"
    )


def test_modules_that_sgm_does_not_have():
    assert sgm_name("down_blocks.0.motion_modules.0.proj_in", 2, []) is None
    assert sgm_name("encoder_hid_proj.proj", 2, []) is None


def test_ambiguous_module_names():
    with pytest.raises(ValueError, match=r"a_b\.c and a\.b_c|a\.b_c and a_b\.c"):
        flat_names(["a_b.c", "a.b_c"])


@pytest.mark.parity
@pytest.mark.parametrize("config", ["SDXL", "SD15", "SD21"])
def test_the_computed_modules_are_diffusers_own(config):
    import torch
    from diffusers import UNet2DConditionModel

    c = getattr(mm, config)
    cross = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in c.attention]
    options = {
        "transformer_layers_per_block": tuple(d or 1 for d in c.attention),
        "attention_head_dim": (5, 10, 20, 20),
    }
    if c.added:
        options |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
        options |= {"projection_class_embeddings_input_dim": c.added, "attention_head_dim": (5, 10, 20)}
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=c.channels,
            down_block_types=tuple(cross),
            up_block_types=tuple(name.replace("Down", "Up") for name in reversed(cross)),
            cross_attention_dim=c.cross,
            use_linear_projection=c.linear,
            **options,
        )
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    theirs = {name: tuple(m.weight.shape) for name, m in unet.named_modules() if isinstance(m, kinds)}
    assert mm.unet_shapes(c) == theirs
