"""Native kernels from `kernels.cpp`, built if a C++ compiler is available at installation. Stock kernels replace them.

They run through MindSpore's interface for custom operators (`ops.Custom`, func_type "aot"), in PyNative and graph mode,
for float32. Their gradients are stock operations. The environment variable MINDONE_TCD_NATIVE=off, or `use(False)`,
disables them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import zlib
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops
from mindspore.ops.auto_generate import group_norm_grad_op
from mindspore.ops.operations import _grad_ops
from mindspore.ops.primitive import _primexpr, constexpr

from ...errors import warn_user

SOURCE = Path(__file__).parent / "kernels.cpp"

_wanted = os.environ.get("MINDONE_TCD_NATIVE", "on") != "off"
_ready = False


@functools.cache
def library() -> Path | None:
    """Return the library, if it was built from the source beside it and can be loaded on this machine."""
    for suffix in EXTENSION_SUFFIXES:
        path = SOURCE.with_name("kernels" + suffix)
        if not path.is_file():
            continue
        try:
            built_from = ctypes.c_uint32.in_dll(ctypes.CDLL(str(path)), "built_from").value
        except (OSError, ValueError) as error:
            warn_user(f"the native kernels cannot be loaded, stock kernels are used: {error}")
            continue
        if built_from == zlib.crc32(SOURCE.read_bytes()):
            return path
        warn_user(f"{path.name} is of another version and is not used; install the package again")
    return None


def use(wanted: bool) -> None:
    """Enable or disable the native kernels. Compiled graphs do not change."""
    global _wanted
    _wanted = wanted


@contextlib.contextmanager
def stock() -> Iterator[None]:
    """Use stock kernels within this context, also for graphs that are compiled in it."""
    before = _wanted
    use(False)
    try:
        yield
    finally:
        use(before)


def in_use() -> bool:
    """Return whether the native kernels are built and enabled."""
    return _wanted and library() is not None


@_primexpr(reuse_result=False)
def take(*dtypes):
    """Return whether the native kernels support tensors of these dtypes."""
    return _ready and in_use() and all(dtype == ms.float32 for dtype in dtypes)


@functools.cache
def _constant(rows, values):
    return Tensor(np.array([values] * rows, np.float32))


@constexpr
def settings(rows, *values):
    """Return a constant with a kernel's settings: `values` in each of `rows` rows."""
    return _constant(rows, values)


INVERSE_SQRT_2 = 0.7071067811865476
INVERSE_SQRT_2PI = 0.3989422804014327


def _gelu_slope(x):
    density = ops.exp(x * x * -0.5) * INVERSE_SQRT_2PI
    return 0.5 * (1.0 + ops.erf(x * INVERSE_SQRT_2)) + x * density


def _gelu_gradient(x, out, dout):
    return (dout * _gelu_slope(x),)


def _silu_slope(x):
    share = ops.sigmoid(x)
    return share * (1.0 + x * (1.0 - share))


def _silu_gradient(x, out, dout):
    return (dout * _silu_slope(x),)


def _geglu_gradient(x, out, dout):
    half = x.shape[-1] // 2
    linear, gate = ops.split(x, half, -1)
    of_gate = 0.5 * gate * (1.0 + ops.erf(gate * INVERSE_SQRT_2))
    return (ops.concat((dout * of_gate, dout * linear * _gelu_slope(gate)), -1),)


def _group_norm_gradient(x, shift, weight, bias, setting, out, dout):
    shifted = shift.shape == x.shape[:2]
    if shifted:
        x = x + shift.reshape(shift.shape + (1,) * (x.ndim - 2))
    dy = dout[0]
    if setting.shape[1] == 2:
        before = group_norm(x, settings(1, 0.0), weight, bias, setting[:, :1])[0]
        dy = dy * _silu_slope(before)
    dx, dweight, dbias = group_norm_grad_op(dy, x, out[1], out[2], weight, setting.shape[0])
    dshift = dx.reshape(*shift.shape, -1).sum(-1) if shifted else ops.zeros_like(shift)
    return dx, dshift, dweight, dbias, ops.zeros_like(setting)


def _add_with_bias_gradient(x, y, bias, out, dout):
    return dout, dout, dout.reshape(*x.shape[:2], -1).sum(-1).sum(0)


def _layer_norm_gradient(x, weight, bias, setting, out, dout):
    first = x.ndim - weight.ndim
    gradient = _grad_ops.LayerNormGrad(first, first)
    dx, dweight, dbias = gradient(x, dout[0], out[2], out[1], weight)
    return dx, dweight, dbias, ops.zeros_like(setting)


def _by_head(x, heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3).reshape(-1, length, width // heads)


def _from_heads(x, shape, heads):
    batch, length, width = shape
    return x.reshape(batch, heads, length, width // heads).transpose(0, 2, 1, 3).reshape(shape)


def _attention_gradient(query, key, value, scale, out, dout):
    heads = scale.shape[0]
    scaled, keys, values = _by_head(query * scale[0, 0], heads), _by_head(key, heads), _by_head(value, heads)
    result, dresult = _by_head(out, heads), _by_head(dout, heads)
    shares = ops.softmax(ops.BatchMatMul(transpose_b=True)(scaled, keys), -1)
    dvalues = ops.BatchMatMul(transpose_a=True)(shares, dresult)
    dshares = ops.BatchMatMul(transpose_b=True)(dresult, values)
    dscores = shares * (dshares - (dresult * result).sum(-1, keepdims=True))
    dquery = _from_heads(ops.BatchMatMul()(dscores, keys), query.shape, heads) * scale[0, 0]
    dkeys = ops.BatchMatMul(transpose_a=True)(dscores, scaled)
    return dquery, _from_heads(dkeys, key.shape, heads), _from_heads(dvalues, value.shape, heads), ops.zeros_like(scale)


def _kernel(name, shapes, dtypes, gradient):
    return ops.Custom(f"{library()}:{name}", shapes, dtypes, "aot", bprop=gradient)


def _half(shape):
    return [*shape[:-1], shape[-1] // 2]


def _group_norm_shapes(x, shift, weight, bias, setting):
    return x, [x[0], setting[0]], [x[0], setting[0]]


def _layer_norm_shapes(x, weight, bias, setting):
    rows = [*x[: len(x) - len(weight)], *[1] * len(weight)]
    return x, rows, rows


def _first(x, *others):
    return x


def _three(x, *others):
    return x, x, x


# The operators: None before `prepare`.
gelu: Any = None
silu: Any = None
geglu: Any = None
group_norm: Any = None
layer_norm: Any = None
attention: Any = None
add_with_bias: Any = None


def prepare() -> None:
    """Create the operators if there is a library; `cpu.enable` calls this."""
    global _ready, gelu, silu, geglu, group_norm, layer_norm, attention, add_with_bias
    if _ready or library() is None:
        return
    gelu = _kernel("gelu", _first, _first, _gelu_gradient)
    silu = _kernel("silu", _first, _first, _silu_gradient)
    geglu = _kernel("geglu", _half, _first, _geglu_gradient)
    group_norm = _kernel("group_norm", _group_norm_shapes, _three, _group_norm_gradient)
    layer_norm = _kernel("layer_norm", _layer_norm_shapes, _three, _layer_norm_gradient)
    attention = _kernel("attention", _first, _first, _attention_gradient)
    add_with_bias = _kernel("add_with_bias", _first, _first, _add_with_bias_gradient)
    _ready = True
