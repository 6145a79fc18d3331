"""The exponential, rounding, activations and dropout."""

import mindspore as ms
from mindspore import mint, ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim

from . import native
from .arguments import one_of

STOCK_SILU = mint.nn.functional.silu

SQRT_HALF = 0.7071067811865476
SQRT_2_OVER_PI = 0.7978845608028654


def exp(input):
    """`mint.exp`, computed in float64.

    The float32 kernel has a relative error of 5e-6. In a timestep embedding, the value is multiplied by up to 1000 and
    is the argument of a sine, so the error becomes 7e-4. With float64, the result is exact up to float32 rounding.
    """
    dtype = input.dtype if input.is_floating_point() else ms.float32
    return ops.exp(input.astype(ms.float64)).astype(dtype)


def round(input, *, decimals=0):
    """`mint.round`: rounds to a number of decimals, half to even; a negative number rounds to tens, hundreds and so on.

    As in PyTorch, the scaling is computed in the input's dtype, and integers have no decimals.
    """
    if decimals == 0:
        return ops.round(input)
    if not input.is_floating_point():
        raise ValueError(f"round: decimals={decimals} is for floating point numbers, got {input.dtype}")
    scale = 10.0 ** abs(decimals)
    return ops.round(input * scale) / scale if decimals > 0 else ops.round(input / scale) * scale


def gelu(input, *, approximate="none"):
    """`mint.nn.functional.gelu`: x·Φ(x), or the tanh approximation with approximate="tanh".

    float16 is computed in float32. Without the native kernel, the formula is composed of elementary operations: with
    erf this takes 0.6 to 0.7 of the GeLU primitive's time, with tanh 0.16 (2048×1024).
    """
    one_of("approximate", approximate, ("none", "tanh"))
    if approximate == "none" and native.take(input.dtype):
        return native.gelu(input)
    x = input.astype(ms.float32) if input.dtype == ms.float16 else input
    if approximate == "none":
        result = 0.5 * x * (1.0 + ops.erf(x * SQRT_HALF))
    else:
        result = 0.5 * x * (1.0 + ops.tanh(x * (SQRT_2_OVER_PI + (SQRT_2_OVER_PI * 0.044715) * x * x)))
    return result.astype(input.dtype)


def silu(input, inplace=False):
    """`mint.nn.functional.silu`: x·sigmoid(x)."""
    if inplace:
        raise NotImplementedError("silu: inplace=True is not supported on CPU; supported: False")
    if native.take(input.dtype):
        return native.silu(input)
    return STOCK_SILU(input)


def silu_construct(self, x):
    """`mint.nn.SiLU.construct`."""
    return silu(x, self.inplace)


def softplus(input, beta=1, threshold=20):
    """`mint.nn.functional.softplus`: log(1 + exp(beta·x)) / beta, or x if beta·x exceeds `threshold`."""
    scaled = input * beta
    # The clamp keeps exp finite in the branch that `where` does not select; otherwise its gradient would be NaN.
    smooth = ops.log1p(ops.exp(ops.clamp(scaled, max=threshold))) / beta
    return ops.where(scaled > threshold, input, smooth)


def mish(input):
    """`mint.nn.functional.mish`: x·tanh(softplus(x))."""
    return input * ops.tanh(softplus(input))


def relu6(input, inplace=False):
    """`mint.nn.functional.relu6`: min(max(x, 0), 6)."""
    if inplace:
        raise NotImplementedError("relu6: inplace=True is not supported on CPU; supported: False")
    return ops.clamp(input, 0, 6)


def dropout(input, p=0.5, training=True, inplace=False):
    """`mint.nn.functional.dropout`: zeroes each value with probability `p` and divides the others by 1 − p."""
    if inplace:
        raise NotImplementedError("dropout: inplace=True is not supported on CPU; supported: False")
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be in [0, 1], got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        return ops.zeros_like(input)
    return _get_cache_prim(P.Dropout)(keep_prob=1.0 - p)(input)[0]


def dropout_construct(self, input):
    """`mint.nn.Dropout.construct`."""
    return dropout(input, self.p, self.training, self.inplace)
