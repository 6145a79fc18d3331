"""ControlNets for UNets whose blocks have different numbers of layers."""

import mindspore as ms
import numpy as np
import pytest
from mindone.diffusers import ControlNetModel, UNet2DConditionModel

SHAPE = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "block_out_channels": (8, 16),
    "norm_num_groups": 4,
    "cross_attention_dim": 8,
    "attention_head_dim": 2,
}


@pytest.mark.parametrize("layers_per_block", [2, [2, 1], [1, 3]])
def test_its_residuals_fit_the_unet(layers_per_block):
    unet = UNet2DConditionModel(
        sample_size=8, up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=layers_per_block, **SHAPE
    )
    net = ControlNetModel.from_unet(unet, conditioning_channels=3)
    x, text = ms.Tensor(np.ones((1, 4, 8, 8), np.float32)), ms.Tensor(np.ones((1, 3, 8), np.float32))
    down, middle = net(x, ms.Tensor(5), text, ms.Tensor(np.ones((1, 3, 64, 64), np.float32)), return_dict=False)
    plain = unet(x, ms.Tensor(5), text, return_dict=False)[0].asnumpy()
    guided = unet(
        x,
        ms.Tensor(5),
        text,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        return_dict=False,
    )[0].asnumpy()
    np.testing.assert_array_equal(guided, plain)  # a new ControlNet's outputs are 0
    layers = layers_per_block if isinstance(layers_per_block, list) else [2, 2]
    assert len(down) == 1 + sum(layers) + 1  # the input, each layer, and the one downsampler


def test_the_configuration_keeps_the_list(tmp_path):
    net = ControlNetModel(layers_per_block=[2, 1], **SHAPE)
    net.save_pretrained(tmp_path)
    loaded = ControlNetModel.from_pretrained(tmp_path)
    assert list(loaded.config.layers_per_block) == [2, 1]
    for name, value in net.parameters_and_names():
        np.testing.assert_array_equal(dict(loaded.parameters_and_names())[name].asnumpy(), value.asnumpy())
