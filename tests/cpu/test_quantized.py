"""Products with int8 weights are those of the widened weights, with native and with stock kernels."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from mindone_tcd import cpu
from mindone_tcd.cpu import native, quantized

from .test_kernels import assert_close
from .test_native import MODES, kernels

KERNELS = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(True, marks=pytest.mark.skipif(native.library() is None, reason="there is no native library")),
        False,
    ],
    ids=["native", "stock"],
)


@pytest.fixture(autouse=True)
def enabled():
    cpu.enable()


@pytest.fixture
def chosen(kind):
    yield from kernels(kind)


def drawn(shape, outs_first):
    """Random numbers, int8 weights, scales and a bias."""
    rng = np.random.default_rng(sum(shape) + sum(outs_first))
    x = rng.standard_normal(shape).astype(np.float32)
    weight = rng.integers(-127, 128, outs_first).astype(np.int8)
    scale, bias = rng.random((2, outs_first[0])).astype(np.float32)
    return x, weight, scale / 127, bias


def wide(weight, scale):
    return weight.astype(np.float64) * scale.astype(np.float64).reshape(-1, *[1] * (weight.ndim - 1))


LINEAR = [
    ((2, 5), 3),  # a few rows: one sum after the other
    ((1, 400), 70),
    ((5, 3), 1),
    ((2, 9, 17), 40),
    ((300, 20), 33),  # two blocks of places
    ((16, 800), 64),  # three pieces of the depth
    ((2, 150, 30), 130),
]


@KERNELS
@MODES
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(("shape", "outs"), LINEAR)
@pytest.mark.usefixtures("chosen")
def test_linear(shape, outs, with_bias, compiled):
    x, weight, scale, bias = drawn(shape, (outs, shape[-1]))
    if with_bias:

        def product(x, weight, scale, bias):
            return quantized.linear(x, weight, scale, bias)
    else:

        def product(x, weight, scale, bias):
            return quantized.linear(x, weight, scale)

    run = ms.jit(product) if compiled else product
    found = run(*map(Tensor, (x, weight, scale, bias))).asnumpy()
    expected = x.astype(np.float64) @ wide(weight, scale).T + (bias if with_bias else 0)
    assert_close(found, expected, 1e-5)


CONVOLUTIONS = [
    # input, outs and kernel, stride, padding, dilation
    ((1, 3, 5, 4), (2, 3, 3), (1, 1), (1, 1), (1, 1)),
    ((2, 4, 16, 16), (20, 3, 3), (1, 1), (1, 1), (1, 1)),
    ((1, 2, 33, 20), (5, 3, 3), (2, 2), (1, 1), (1, 1)),
    ((1, 50, 20, 20), (34, 1, 1), (1, 1), (0, 0), (1, 1)),
    ((2, 50, 6, 6), (17, 3, 3), (1, 1), (1, 1), (1, 1)),
    ((1, 2, 9, 40), (3, 2, 4), (1, 2), (0, 3), (2, 1)),
    ((1, 2, 7, 7), (3, 1, 1), (2, 2), (0, 0), (1, 1)),
    ((1, 3, 4, 4), (2, 1, 1), (1, 1), (1, 1), (1, 1)),
]


def convolution_of(x, weight, bias, stride, padding, dilation):
    """The convolution by its definition, float64."""
    (top, left), (height, width) = padding, weight.shape[2:]
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, top), (left, left)))
    down = (x.shape[2] - dilation[0] * (height - 1) - 1) // stride[0] + 1
    right = (x.shape[3] - dilation[1] * (width - 1) - 1) // stride[1] + 1
    out = np.zeros((len(x), len(weight), down, right))
    for i in range(height):
        for j in range(width):
            y, z = i * dilation[0], j * dilation[1]
            part = x[
                :, :, y : y + stride[0] * (down - 1) + 1 : stride[0], z : z + stride[1] * (right - 1) + 1 : stride[1]
            ]
            out += np.einsum("nchw,oc->nohw", part, weight[:, :, i, j])
    return out + bias.reshape(-1, 1, 1)


@KERNELS
@MODES
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding", "dilation"), CONVOLUTIONS)
@pytest.mark.usefixtures("chosen")
def test_convolutions(shape, kernel, stride, padding, dilation, compiled):
    x, weight, scale, bias = drawn(shape, (kernel[0], shape[1], *kernel[1:]))

    def product(x, weight, scale, bias):
        return quantized.conv2d(x, weight, scale, bias, stride, padding, dilation)

    run = ms.jit(product) if compiled else product
    found = run(*map(Tensor, (x, weight, scale, bias))).asnumpy()
    expected = convolution_of(x, wide(weight, scale), bias, stride, padding, dilation)
    assert found.shape == expected.shape
    assert_close(found, expected, 1e-5)


@KERNELS
@pytest.mark.usefixtures("chosen")
def test_a_convolution_without_a_bias():
    x, weight, scale, bias = drawn((1, 3, 5, 5), (4, 3, 3, 3))
    found = quantized.conv2d(Tensor(x), Tensor(weight), Tensor(scale), None, (1, 1), (1, 1), (1, 1)).asnumpy()
    assert_close(found, convolution_of(x, wide(weight, scale), 0 * bias, (1, 1), (1, 1), (1, 1)), 1e-5)


@KERNELS
@pytest.mark.usefixtures("chosen")
def test_float16_gives_float16():
    x, weight, scale, bias = drawn((6, 10), (4, 10))
    found = quantized.linear(Tensor(x, ms.float16), *map(Tensor, (weight, scale, bias)))
    assert found.dtype == ms.float16
    # The input and the result are rounded to 11 bits.
    expected = x.astype(np.float16).astype(np.float64) @ wide(weight, scale).T + bias
    assert_close(found.asnumpy().astype(np.float64), expected, 2e-3)
    image, weight, scale, bias = drawn((1, 2, 4, 4), (3, 2, 3, 3))
    made = quantized.conv2d(Tensor(image, ms.float16), *map(Tensor, (weight, scale, bias)), (1, 1), (1, 1), (1, 1))
    assert made.dtype == ms.float16


@KERNELS
@MODES
@pytest.mark.usefixtures("chosen")
def test_gradients(compiled):
    """The gradients of the input and the bias are those of the widened weight."""
    x, weight, scale, bias = drawn((6, 10), (4, 10))
    image, kernel, scales, biases = drawn((1, 2, 6, 6), (3, 2, 3, 3))
    factor = Tensor(np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32))
    factors = Tensor(np.random.default_rng(1).standard_normal((1, 3, 3, 3)).astype(np.float32))
    weight_tensor, scale_tensor = Tensor(weight), Tensor(scale)
    kernel_tensor, scales_tensor = Tensor(kernel), Tensor(scales)
    wide_weight = Tensor(wide(weight, scale).astype(np.float32))
    wide_kernel = Tensor(wide(kernel, scales).astype(np.float32))

    def ours(x, bias, image, biases):
        rows = quantized.linear(x, weight_tensor, scale_tensor, bias)
        made = quantized.conv2d(image, kernel_tensor, scales_tensor, biases, (2, 2), (1, 1), (1, 1))
        return (rows * factor).sum() + (made * factors).sum()

    def theirs(x, bias, image, biases):
        rows = mint.nn.functional.linear(x, wide_weight, bias)
        made = mint.nn.functional.conv2d(image, wide_kernel, biases, (2, 2), (1, 1), (1, 1))
        return (rows * factor).sum() + (made * factors).sum()

    arguments = tuple(map(Tensor, (x, bias, image, biases)))
    gradient = ms.grad(ours, (0, 1, 2, 3))
    found = (ms.jit(gradient) if compiled else gradient)(*arguments)
    expected = ms.grad(theirs, (0, 1, 2, 3))(*arguments)
    assert_close([g.asnumpy() for g in found], [g.asnumpy() for g in expected], 1e-4)
