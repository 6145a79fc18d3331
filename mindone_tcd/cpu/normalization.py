"""Layer normalization, group normalization, and normalization of vectors to length 1."""

from mindspore import mint, ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim
from mindspore.ops.primitive import _primexpr

from . import native
from .reduction import norm

STOCK_GROUP_NORM = mint.nn.functional.group_norm


@_primexpr
def _normalized(shape, normalized_shape):
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if len(last) == 0 or tuple(shape[len(shape) - len(last) :]) != last:
        raise ValueError(f"layer_norm: the input's last dimensions must be {last}, its shape is {tuple(shape)}")
    return last


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """`mint.nn.functional.layer_norm`: mean 0 and variance 1 over the last dimensions, then affine."""
    last = _normalized(input.shape, normalized_shape)
    weight = ops.ones(last, input.dtype) if weight is None else weight
    bias = ops.zeros(last, input.dtype) if bias is None else bias
    if native.take(input.dtype, weight.dtype, bias.dtype):
        return native.layer_norm(input, weight, bias, native.settings(1, eps))[0]
    first = input.ndim - len(last)
    return _get_cache_prim(P.LayerNorm)(first, first, eps)(input, weight, bias)[0]


def layer_norm_construct(self, input):
    """`mint.nn.LayerNorm.construct`."""
    return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


@_primexpr
def _check_groups(shape, num_groups):
    if len(shape) < 2 or num_groups <= 0 or shape[1] % num_groups:
        raise ValueError(f"group_norm takes (N, C, ...), C divisible by num_groups={num_groups}, got {tuple(shape)}")


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """`mint.nn.functional.group_norm`: mean 0 and variance 1 over each group of channels, then affine.

    Two stock alternatives were measured (`benchmarks/kernels.py --candidates`). BatchNorm's training mode over the
    groups takes 0.4 of GroupNorm's time in graph mode and 1.1 in PyNative mode, but it overwrites its statistics, so
    the constants could not be shared. LayerNorm over the groups takes 0.9 and 1.9.
    """
    _check_groups(input.shape, num_groups)
    if weight is None or bias is None:
        weight = ops.ones(input.shape[1], input.dtype) if weight is None else weight
        bias = ops.zeros(input.shape[1], input.dtype) if bias is None else bias
    if native.take(input.dtype, weight.dtype, bias.dtype):
        return native.group_norm(input, native.settings(1, 0.0), weight, bias, native.settings(num_groups, eps))[0]
    return STOCK_GROUP_NORM(input, num_groups, weight, bias, eps)


def group_norm_construct(self, input):
    """`mint.nn.GroupNorm.construct`."""
    return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """`mint.nn.functional.normalize`: input divided by its p-norm along `dim`, where the norm is at least `eps`."""
    return input / ops.clamp(norm(input, p, dim, keepdim=True), min=eps)
