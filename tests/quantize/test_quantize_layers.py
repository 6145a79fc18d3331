"""The layers that replace those of a network."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from mindone_tcd import cpu
from mindone_tcd.quantize.layers import QuantizedConv2d, QuantizedLinear
from mindone_tcd.quantize.weights import dequantized, quantized


@pytest.fixture(autouse=True)
def kernels():
    cpu.enable()


def quantized_pair(layer, make):
    """The quantized layer, and the float layer with the weights that it stands for."""
    integers, scales = quantized(layer.weight.asnumpy())
    layer.weight.set_data(Tensor(dequantized(integers, scales)))
    bias = None if layer.bias is None else layer.bias.asnumpy()
    return make(integers, scales, bias, "some.layer"), layer


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias):
    ours, theirs = quantized_pair(mint.nn.Linear(20, 12, bias=bias), QuantizedLinear)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 7, 20)).astype(np.float32))
    assert np.allclose(ours(x).asnumpy(), theirs(x).asnumpy(), atol=1e-6)
    assert (ours.in_features, ours.out_features) == (20, 12)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"padding": (0, 2), "dilation": (1, 2)}])
def test_convolutions(options):
    layer = mint.nn.Conv2d(3, 5, (3, 2), **options)
    moves = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    ours, theirs = quantized_pair(layer, lambda *given: QuantizedConv2d(*given, **moves))
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 9)).astype(np.float32))
    assert np.allclose(ours(x).asnumpy(), theirs(x).asnumpy(), atol=1e-6)
    assert (ours.in_channels, ours.out_channels, ours.kernel_size) == (3, 5, (3, 2))


def test_the_weight_is_int8_and_nothing_is_trained():
    ours, _ = quantized_pair(mint.nn.Linear(6, 4), QuantizedLinear)
    found = {parameter.name: (parameter.dtype, parameter.requires_grad) for parameter in ours.get_parameters()}
    assert found == {
        "some.layer.weight": (ms.int8, False),
        "some.layer.scale": (ms.float32, False),
        "some.layer.bias": (ms.float32, False),
    }
