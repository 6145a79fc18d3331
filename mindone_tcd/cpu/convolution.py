"""Convolutions and average pooling in NCHW layout."""

import mindspore as ms
from mindspore import mint, ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim
from mindspore.ops.primitive import _primexpr

from .arguments import one_of, pair
from .linear import widened


@_primexpr
def _padding(padding, kernel, stride, dilation):
    """Return (top, bottom, left, right) from one number, two numbers, or 'valid' or 'same'."""
    if not isinstance(padding, str):
        top, left = (padding, padding) if isinstance(padding, int) else tuple(padding) * (2 // len(padding))
        return (top, top, left, left)
    one_of("padding", padding, ("valid", "same"))
    if padding == "valid":
        return (0, 0, 0, 0)
    if stride != (1, 1):
        raise ValueError(f"padding='same' is not supported for strided convolutions, got stride {stride}")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return (totals[0] // 2, totals[0] - totals[0] // 2, totals[1] // 2, totals[1] - totals[1] // 2)


@_primexpr
def _check_channels(channels, weight_shape, groups):
    if channels != weight_shape[1] * groups:
        raise ValueError(
            f"conv2d: a weight {weight_shape} with groups={groups} takes {weight_shape[1] * groups} "
            f"channels, the input has {channels}"
        )


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """`mint.nn.functional.conv2d`: input (N, C, H, W) or (C, H, W), weight (O, C / groups, kH, kW), bias (O,).

    BiasAdd adds the bias 6 times faster than a broadcast addition (2×128×32×32: 0.6 ms, not 4.1).
    """
    batched = input if input.ndim == 4 else input.expand_dims(0)
    kernel = (weight.shape[2], weight.shape[3])
    stride = pair(stride, "stride")
    dilation = pair(dilation, "dilation")
    _check_channels(batched.shape[1], weight.shape, groups)
    convolve = _get_cache_prim(P.Conv2D)(
        weight.shape[0],
        kernel,
        mode=1,
        pad_mode="pad",
        pad=_padding(padding, kernel, stride, dilation),
        stride=stride,
        dilation=dilation,
        group=groups,
    )
    half = weight.dtype == ms.float16
    if half:
        batched, weight = batched.to(ms.float32), widened(weight, batched)
        bias = None if bias is None else bias.to(ms.float32)
    output = convolve(batched, weight)
    if bias is not None:
        output = _get_cache_prim(P.BiasAdd)()(output, bias)
    output = output.to(input.dtype) if half else output
    return output if input.ndim == 4 else output.squeeze(0)


def conv2d_construct(self, input):
    """`mint.nn.Conv2d.construct`."""
    if self.padding_mode == "zeros":
        return conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
    input = mint.nn.functional.pad(input, self._reversed_padding, mode=self.padding_mode)
    return conv2d(input, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def without_bias(layer, input):
    """Return the output of a `mint.nn.Conv2d` with padding_mode 'zeros' before the bias is added."""
    return conv2d(input, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)


@_primexpr
def _transposed_shape(shape, weight_shape, stride, padding, output_padding, groups, dilation):
    sides = []
    for i in (0, 1):
        if not 0 <= output_padding[i] < max(stride[i], dilation[i]):
            raise ValueError(
                f"output_padding {output_padding} must be below the stride {stride} or dilation {dilation}"
            )
        grown = (shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (weight_shape[2 + i] - 1)
        sides.append(grown + output_padding[i] + 1)
    return (shape[0], weight_shape[1] * groups, *sides)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """`mint.nn.functional.conv_transpose2d`: input (N, C, H, W), weight (C, O / groups, kH, kW), bias (O,)."""
    batched = input if input.ndim == 4 else input.expand_dims(0)
    stride = pair(stride, "stride")
    padding = pair(padding, "padding")
    dilation = pair(dilation, "dilation")
    output_padding = pair(output_padding, "output_padding")
    shape = _transposed_shape(batched.shape, weight.shape, stride, padding, output_padding, groups, dilation)
    # A transposed convolution is the gradient of a convolution with respect to its input.
    spread = _get_cache_prim(P.Conv2DBackpropInput)(
        weight.shape[0],
        (weight.shape[2], weight.shape[3]),
        pad_mode="pad",
        pad=(padding[0], padding[0], padding[1], padding[1]),
        stride=stride,
        dilation=dilation,
        group=groups,
        mode=1,
    )
    output = spread(batched, weight, shape)
    if bias is not None:
        output = _get_cache_prim(P.BiasAdd)()(output, bias)
    return output if input.ndim == 4 else output.squeeze(0)


def conv_transpose2d_construct(self, input, output_size=None):
    """`mint.nn.ConvTranspose2d.construct`."""
    if output_size is not None:
        raise NotImplementedError(f"output_size={output_size} is not supported on CPU; supported: None")
    return conv_transpose2d(
        input, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
    )


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """`mint.nn.functional.avg_pool2d`: input (N, C, H, W) or (C, H, W)."""
    batched = input if input.ndim == 4 else input.expand_dims(0)
    kernel = pair(kernel_size, "kernel_size")
    stride = kernel if stride is None else pair(stride, "stride")
    padding = pair(padding, "padding")
    divisor = 0 if divisor_override is None else divisor_override
    sides = (padding[0], padding[0], padding[1], padding[1])
    pooled = ops.avg_pool2d(batched, kernel, stride, sides, ceil_mode, count_include_pad, divisor)
    return pooled if input.ndim == 4 else pooled.squeeze(0)


def avg_pool2d_construct(self, input):
    """`mint.nn.AvgPool2d.construct`."""
    return avg_pool2d(
        input,
        self.kernel_size,
        self.stride,
        self.padding,
        self.ceil_mode,
        self.count_include_pad,
        self.divisor_override,
    )
