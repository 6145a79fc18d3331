"""Layers whose construct is replaced pass all their settings on."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from . import numpy_reference as ref
from .test_kernels import assert_close

X = np.random.default_rng(0).standard_normal((2, 4, 6, 5)).astype(np.float32)
ROWS = np.random.default_rng(1).standard_normal((2, 3, 8)).astype(np.float32)
IDS = np.array([[1, 5, 2]])


def conv(x, w, b):
    return ref.conv2d(x, w, b, (2, 1), (1, 1, 1, 1), groups=2)


def reflected(x, w, b):
    return ref.conv2d(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect"), w, b)


LAYERS = [
    (mint.nn.Linear(8, 5), ROWS, ref.linear),
    (mint.nn.Linear(8, 5, bias=False), ROWS, ref.linear),
    (mint.nn.Conv2d(4, 6, 3, stride=(2, 1), padding=1, groups=2), X, conv),
    (mint.nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), X, reflected),
    (mint.nn.ConvTranspose2d(4, 3, 2, stride=2), X, lambda x, w, b: ref.conv_transpose2d(x, w, b, 2)),
    (mint.nn.LayerNorm(8, eps=0.1), ROWS, lambda x, w, b: ref.layer_norm(x, (8,), w, b, 0.1)),
    (mint.nn.LayerNorm((3, 8), elementwise_affine=False), ROWS, lambda x: ref.layer_norm(x, (3, 8))),
    (mint.nn.GroupNorm(2, 4), X, lambda x, w, b: ref.group_norm(x, 2, w, b)),
    (mint.nn.GELU(), ROWS, ref.gelu),
    (mint.nn.GELU("tanh"), ROWS, ref.gelu_tanh),
    (mint.nn.SiLU(), ROWS, ref.silu),
    (mint.nn.Embedding(6, 4, padding_idx=2), IDS, ref.embedding),
    (mint.nn.AvgPool2d(2, stride=2, ceil_mode=True), X, lambda x: ref.avg_pool2d(x, 2, 2, ceil_mode=True)),
    (mint.nn.Upsample(scale_factor=2.0), X, lambda x: ref.resize(x, (12, 10), "nearest")),
    (mint.nn.ZeroPad2d(1), X, lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))),
]


@pytest.mark.parametrize(("layer", "x", "expected"), LAYERS, ids=lambda value: type(value).__name__)
def test_layers(layer, x, expected):
    # Random scales and shifts, because the initial ones and zeros would hide an ignored parameter.
    source = np.random.default_rng(2)
    for parameter in layer.get_parameters():
        parameter.set_data(Tensor(source.standard_normal(parameter.shape), ms.float32))
    parameters = [parameter.asnumpy().astype(np.float64) for parameter in layer.get_parameters()]
    wide = x.astype(np.float64) if x.dtype == np.float32 else x
    assert_close(layer(Tensor(x)).asnumpy(), expected(wide, *parameters))

    @ms.jit
    def compiled(x):
        return layer(x)

    assert_close(compiled(Tensor(x)).asnumpy(), expected(wide, *parameters))


def test_the_padding_row_gets_no_gradient():
    weight = Tensor(np.ones((6, 4), np.float32))

    def total(weight):
        return mint.nn.functional.embedding(Tensor(np.array([1, 2, 2])), weight, padding_idx=-4).sum()

    assert ms.grad(total)(weight).asnumpy()[:, 0].tolist() == [0, 1, 0, 0, 0, 0]
