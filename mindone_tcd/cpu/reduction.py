"""Reductions: sums, variances, norms, and positions of extreme values."""

import math

import mindspore as ms
from mindspore import ops

from .arguments import axes_of, axis_of, count


def var(input, dim=None, *, correction=1, keepdim=False):
    """`mint.var`: the sum of squared distances from the mean, divided by the count minus `correction`."""
    axes = axes_of(dim, input.ndim)
    centered = input - input.mean(axes, True)
    # Division by a float 0 gives inf or nan, as in PyTorch. Division by a Python 0 would raise an error.
    left = ops.full((), max(count(input.shape, axes) - correction, 0), dtype=input.dtype)
    return (centered * centered).sum(axes, keepdims=keepdim) / left


def std(input, dim=None, *, correction=1, keepdim=False):
    """`mint.std`: the square root of `var`."""
    return ops.sqrt(var(input, dim, correction=correction, keepdim=keepdim))


def norm(input, p="fro", dim=None, keepdim=False, *, dtype=None):
    """`mint.norm`: the p-norm of the vectors along `dim` (of the whole tensor without `dim`); "fro" is p = 2.

    p is "fro" or any number, including infinities. "nuc" raises NotImplementedError.
    """
    if isinstance(p, str) and p != "fro":
        raise NotImplementedError(f"norm: p={p!r} is not supported on CPU; supported: 'fro' and numbers")
    x = input if dtype is None else input.astype(dtype)
    axes = axes_of(dim, input.ndim)
    if p == "fro" or p == 2:
        return ops.sqrt((x * x).sum(axes, keepdims=keepdim))
    x = ops.abs(x)
    if p == math.inf:
        return ops.amax(x, axes, keepdim)
    if p == -math.inf:
        return ops.amin(x, axes, keepdim)
    if p == 0:
        return (x != 0).astype(x.dtype).sum(axes, keepdims=keepdim)
    if p == 1:
        return x.sum(axes, keepdims=keepdim)
    return ops.pow(ops.pow(x, p).sum(axes, keepdims=keepdim), 1.0 / p)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """`mint.linalg.vector_norm`."""
    return norm(x, ord, dim, keepdim, dtype=dtype)


def logsumexp(input, dim, keepdim=False):
    """`mint.logsumexp`: the logarithm of the sum of exponentials, without overflow for large values."""
    axes = axes_of(dim, input.ndim)
    peak = ops.stop_gradient(ops.amax(input, axes, True))
    # Infinite maxima are not subtracted, because inf − inf is NaN.
    peak = ops.where(ops.isfinite(peak), peak, ops.zeros_like(peak))
    result = ops.log(ops.exp(input - peak).sum(axes, keepdims=True)) + peak
    return result if keepdim else result.sum(axes)


def cumsum(input, dim, dtype=None):
    """`mint.cumsum`: running sums; integers and bools become int64."""
    if dtype is None and input.dtype in (ms.bool_, ms.uint8, ms.int8, ms.int16, ms.int32):
        dtype = ms.int64
    x = input if dtype is None else input.astype(dtype)
    return ops.cumsum(x, axis_of(dim, input.ndim))


def count_nonzero(input, dim=None):
    """`mint.count_nonzero`, int64."""
    return (input != 0).astype(ms.int64).sum(axes_of(dim, input.ndim))


def equal(input, other):
    """`mint.equal`: True if shapes and all values are equal. It synchronizes with the device."""
    return input.shape == other.shape and bool((input == other).all())


def argmax(input, dim=None, keepdim=False):
    """`mint.argmax`: int64 position of the first largest value, in the flattened tensor without `dim`."""
    return _position(ops.argmax, input, dim, keepdim)


def argmin(input, dim=None, keepdim=False):
    """`mint.argmin`: int64 position of the first smallest value, in the flattened tensor without `dim`."""
    return _position(ops.argmin, input, dim, keepdim)


def _position(find, input, dim, keepdim):
    if dim is None:
        found = find(input.reshape(-1), 0, False).astype(ms.int64)
        return found.reshape((1,) * input.ndim) if keepdim else found
    return find(input, axis_of(dim, input.ndim), keepdim).astype(ms.int64)
