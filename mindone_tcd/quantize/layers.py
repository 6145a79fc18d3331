"""Linear and convolution layers with int8 weights.

Each layer takes and returns the dtype of its input, and computes in float32. Its weight is an int8 parameter; no float
copy of it exists between two calls.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import mint, nn, ops

from .. import cpu
from ..cpu import quantized as cpu_kernels


class QuantizedLayer(nn.Cell):
    """A layer with an int8 weight.

    Args:
        integers: the weight's integers, int8.
        scales: the scale of each output channel, float32 (out,).
        bias: the bias of the layer that it replaces, or None.
        name: the layer's name in its network, for the names of its parameters.

    Attributes:
        weight: int8, of the shape of the float weight.
        scale: float32, (out,).
        bias: float32 (out,), or None.
    """

    def __init__(self, integers: np.ndarray, scales: np.ndarray, bias: np.ndarray | None, name: str) -> None:
        super().__init__(auto_prefix=False)
        self.weight = ms.Parameter(ms.Tensor(integers), name=f"{name}.weight", requires_grad=False)
        self.scale = ms.Parameter(ms.Tensor(scales), name=f"{name}.scale", requires_grad=False)
        self.bias = None
        if bias is not None:
            self.bias = ms.Parameter(ms.Tensor(bias.astype(np.float32)), name=f"{name}.bias", requires_grad=False)
        self.on_cpu = cpu.needed()


class QuantizedLinear(QuantizedLayer):
    """`mint.nn.Linear` with an int8 weight (out, in)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.out_features, self.in_features = self.weight.shape

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        if self.on_cpu:
            return cpu_kernels.linear(x, self.weight, self.scale, self.bias)
        return _on_device(x, self.weight, self.scale, self.bias)


class QuantizedConv2d(QuantizedLayer):
    """`mint.nn.Conv2d` without groups, padded by zeros, with an int8 weight (out, in, height, width).

    Args:
        args: as for :class:`QuantizedLayer`.
        stride: two integers, for height and width.
        padding: as `stride`.
        dilation: as `stride`.
    """

    def __init__(self, *args: Any, stride: Any, padding: Any, dilation: Any) -> None:
        super().__init__(*args)
        self.out_channels, self.in_channels, *kernel_size = self.weight.shape
        self.kernel_size = tuple(kernel_size)
        self.stride, self.padding, self.dilation = tuple(stride), tuple(padding), tuple(dilation)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        if self.on_cpu:
            return cpu_kernels.conv2d(x, self.weight, self.scale, self.bias, self.stride, self.padding, self.dilation)
        weight = ops.cast(ops.depend(self.weight, x), x.dtype) * ops.cast(self.scale, x.dtype).reshape(-1, 1, 1, 1)
        bias = None if self.bias is None else ops.cast(self.bias, x.dtype)
        return mint.nn.functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation)


def _on_device(x: ms.Tensor, weight: ms.Parameter, scale: ms.Parameter, bias: ms.Parameter | None) -> ms.Tensor:
    """Return a product on an NPU: its kernel for float16 or bfloat16 rows and int8 weights."""
    flat = x.reshape(-1, weight.shape[1])
    product = ops.auto_generate.WeightQuantBatchMatmul(False, True, 0)
    kind = ms.float16 if x.dtype == ms.float32 else x.dtype
    result = product(ops.cast(flat, kind), weight, ops.cast(scale, kind), None, None, None, None)
    result = ops.cast(result, x.dtype)
    if bias is not None:
        result = result + ops.cast(bias, x.dtype)
    return result.reshape(x.shape[:-1] + (weight.shape[0],))  # noqa: RUF005
