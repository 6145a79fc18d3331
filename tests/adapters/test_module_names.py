"""The names that files use for a UNet's and a text encoder's modules."""

import pytest

from mindone_tcd.adapters.module_names import flat_names, sgm_name

ATTENTIONS = {"down_blocks.1", "down_blocks.2", "up_blocks.0", "up_blocks.1"}


@pytest.mark.parametrize(
    ("path", "layers", "name"),
    [
        ("conv_in", 2, "input_blocks.0.0"),
        ("add_embedding.linear_1", 2, "label_emb.0.0"),
        ("down_blocks.0.resnets.0.conv1", 2, "input_blocks.1.0.in_layers.2"),
        ("down_blocks.0.downsamplers.0.conv", 2, "input_blocks.3.0.op"),
        ("down_blocks.1.attentions.0.proj_in", 2, "input_blocks.4.1.proj_in"),
        ("down_blocks.2.attentions.1.proj_out", 2, "input_blocks.8.1.proj_out"),
        ("down_blocks.1.attentions.0.proj_in", 1, "input_blocks.3.1.proj_in"),
        ("mid_block.resnets.0.conv1", 2, "middle_block.0.in_layers.2"),
        ("mid_block.attentions.0.proj_in", 2, "middle_block.1.proj_in"),
        ("mid_block.resnets.1.conv_shortcut", 2, "middle_block.2.skip_connection"),
        ("up_blocks.1.attentions.2.proj_in", 2, "output_blocks.5.1.proj_in"),
        ("up_blocks.2.resnets.1.time_emb_proj", 2, "output_blocks.7.0.emb_layers.1"),
        ("up_blocks.0.upsamplers.0.conv", 2, "output_blocks.2.2.conv"),
        ("up_blocks.2.upsamplers.0.conv", 2, "output_blocks.8.1.conv"),
        ("up_blocks.1.resnets.0.conv1", 1, "output_blocks.2.0.in_layers.2"),
        ("down_blocks.0.downsamplers.0.norm", 2, None),
        ("down_blocks.0.motion_modules.0.proj_in", 2, None),
        ("class_embedding", 2, None),
        ("mid_block", 2, None),
    ],
)
def test_sgm_names(path, layers, name):
    assert sgm_name(path, layers, ATTENTIONS) == name


def test_a_text_encoder_has_one_name_for_each_module():
    assert flat_names(["text_model.encoder.layers.0.mlp.fc1"]) == {
        "text_model_encoder_layers_0_mlp_fc1": "text_model.encoder.layers.0.mlp.fc1"
    }


def test_a_unet_has_both_names_and_its_attentions_are_found():
    paths = ["up_blocks.0.attentions.0.proj_in", "up_blocks.0.upsamplers.0.conv", "up_blocks.1.upsamplers.0.conv"]
    assert flat_names(paths, 2) == {
        "up_blocks_0_attentions_0_proj_in": paths[0],
        "output_blocks_0_1_proj_in": paths[0],
        "up_blocks_0_upsamplers_0_conv": paths[1],
        "output_blocks_2_2_conv": paths[1],
        "up_blocks_1_upsamplers_0_conv": paths[2],
        "output_blocks_5_1_conv": paths[2],
    }


def test_a_module_without_an_sgm_name_has_one_name():
    assert flat_names(["class_embedding"], 2) == {"class_embedding": "class_embedding"}


def test_two_modules_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"^modules to\.k and to_k share the name to_k$"):
        flat_names(["to.k", "to_k"])
