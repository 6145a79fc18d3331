"""Adapter weights of a UNet whose blocks have different numbers of layers."""

from types import SimpleNamespace

import pytest
from mindone.diffusers.loaders import ip_adapter, peft

from mindone_tcd.errors import UsageError

FUNCTIONS = [
    pytest.param(lambda: peft._SET_ADAPTER_SCALE_FN_MAPPING["UNet2DConditionModel"], id="set_adapters"),
    pytest.param(lambda: peft._SET_ADAPTER_SCALE_FN_MAPPING["UNetMotionModel"], id="set_adapters of a motion model"),
    pytest.param(lambda: ip_adapter._maybe_expand_lora_scales, id="set_ip_adapter_scale"),
]


def unet(layers_per_block):
    with_attention = SimpleNamespace(attentions=[])
    return SimpleNamespace(
        config=SimpleNamespace(layers_per_block=layers_per_block),
        down_blocks=[SimpleNamespace(), with_attention],
        up_blocks=[with_attention, with_attention if layers_per_block == [3, 1] else SimpleNamespace()],
        state_dict=dict,
    )


@pytest.mark.parametrize("expand", FUNCTIONS)
@pytest.mark.parametrize("layers_per_block", [2, [2, 1], (2, 1)])
def test_one_number_acts_on_the_whole_unet(expand, layers_per_block):
    assert expand()(unet(layers_per_block), [0.8, 1.0]) == [0.8, 1.0]


@pytest.mark.parametrize("expand", FUNCTIONS)
def test_weights_by_block_are_refused_where_blocks_differ(expand):
    with pytest.raises(UsageError, match=r"layers_per_block=\[3, 1\].* give each adapter one number"):
        expand()(unet([3, 1]), [{"down": 0.5}])


def test_the_functions_of_other_models_do_not_change():
    mapping = peft._SET_ADAPTER_SCALE_FN_MAPPING
    assert mapping["SD3Transformer2DModel"]("model", [0.5]) == [0.5]
