"""The calls that are exported: their inputs have the shapes that the networks take."""

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.deploy import parts

CONFIG = {"block_out_channels": (8, 16, 16), "layers_per_block": 2}


class Config(dict):
    __getattr__ = dict.get


@pytest.mark.parametrize(("layers", "count"), [(2, 9), ([1, 2, 1], 7)])
def test_residual_shapes(layers, count):
    config = Config(CONFIG, layers_per_block=layers)
    shapes = parts.residual_shapes(config, (2, 4, 12, 10))
    assert len(shapes) == count + 1
    assert shapes[0] == (2, 8, 12, 10)
    assert shapes[-1] == (2, 16, 3, 3)


def test_residual_shapes_are_those_of_a_controlnet(folders):
    from mindone_tcd import ControlNetModel

    network = ControlNetModel.from_pretrained(folders("controlnet-sd15"))
    latents = (1, 4, 8, 12)
    down, middle = network(
        ms.Tensor(np.zeros(latents, np.float32)),
        ms.Tensor([1], ms.int64),
        encoder_hidden_states=ms.Tensor(np.zeros((1, 4, network.config.cross_attention_dim), np.float32)),
        controlnet_cond=ms.Tensor(np.zeros((1, 3, 8 * scale_of(network), 12 * scale_of(network)), np.float32)),
        return_dict=False,
    )
    assert [each.shape for each in (*down, middle)] == parts.residual_shapes(network.config, latents)


def scale_of(network):
    return 2 ** (len(network.config.conditioning_embedding_out_channels) - 1)


def test_the_source_of_a_call():
    call = parts.Call("unet", None, ("y = self.part(x)", "return y[0]"), {"x": ((1,), "float32")}, "unet/w")
    assert call.source == "def construct(self, x):\n    y = self.part(x)\n    return y[0]\n"
