"""Padding and interpolation."""

from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, mint, ops
from mindspore.ops.primitive import _primexpr, constexpr

from .arguments import one_of, only

_NUMPY_MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}

STOCK_INTERPOLATE = mint.nn.functional.interpolate


@_primexpr
def _pads_by_axis(shape, pad, mode):
    """Return ((axis, before, after), …) from the flat list that starts with the last dimension."""
    pad = (pad, pad) if isinstance(pad, int) else tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * len(shape):
        raise ValueError(f"pad must hold a pair for each of up to {len(shape)} dimensions, got {pad}")
    pairs = []
    for i in range(len(pad) // 2):
        axis = len(shape) - 1 - i
        before, after = pad[2 * i], pad[2 * i + 1]
        reach = {"reflect": shape[axis] - 1, "circular": shape[axis]}.get(mode)
        if reach is not None and max(before, after) > reach:
            raise ValueError(f"pad={pad}: mode {mode!r} can add at most {reach} on each side of dimension {axis}")
        if mode != "constant" and min(before, after) < 0:
            raise NotImplementedError(f"pad={pad}: mode {mode!r} takes no negative pads on CPU")
        if shape[axis] + before + after < 0:
            raise ValueError(f"pad={pad} leaves dimension {axis} of {shape[axis]} with a negative length")
        if before or after:
            pairs.append((axis, before, after))
    return tuple(pairs)


@_primexpr
def _with_side(shape, axis, side):
    return (*shape[:axis], side, *shape[axis + 1 :])


@constexpr
def _source_positions(length, before, after, mode):
    return Tensor(np.pad(np.arange(length), (before, after), mode=_NUMPY_MODES[mode]), ms.int32)


def pad(input, pad, mode="constant", value=None):
    """`mint.nn.functional.pad` for any dtype.

    Modes: constant (`value`, default 0; negative pads crop), reflect, replicate, circular (these have no `value`).
    """
    one_of("mode", mode, ("constant", "reflect", "replicate", "circular"))
    if mode != "constant" and value is not None and value != 0:
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value}")
    fill = 0 if value is None else value
    for axis, before, after in _pads_by_axis(input.shape, pad, mode):
        if mode != "constant":
            positions = _source_positions(input.shape[axis], before, after, mode)
            input = ops.gather(input, positions, axis)
            continue
        if before < 0 or after < 0:
            cut = max(-before, 0)
            input = ops.narrow(input, axis, cut, input.shape[axis] - cut - max(-after, 0))
        if before > 0:
            input = ops.concat((ops.full(_with_side(input.shape, axis, before), fill, dtype=input.dtype), input), axis)
        if after > 0:
            input = ops.concat((input, ops.full(_with_side(input.shape, axis, after), fill, dtype=input.dtype)), axis)
    return input


@_primexpr
def _resized(spatial, size, scale_factor, recompute_scale_factor):
    """Return the new sizes, and the steps between samples in the old tensor."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate takes one of size and scale_factor, got {size} and {scale_factor}")
    if size is not None:
        if recompute_scale_factor:
            raise ValueError("interpolate: recompute_scale_factor=True means nothing when size is given")
        sides = (size,) * len(spatial) if isinstance(size, int) else tuple(size)
        factors = None
    else:
        factors = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * len(spatial)
        sides = tuple(int(side * factor) for side, factor in zip(spatial, factors, strict=False))
        if len(factors) != len(spatial):
            raise ValueError(f"interpolate: {len(factors)} factors were given for {len(spatial)} dimensions")
    if len(sides) != len(spatial):
        raise ValueError(f"interpolate: {len(sides)} sides were given for {len(spatial)} dimensions")
    if factors is None or recompute_scale_factor:
        steps = tuple(old / new for old, new in zip(spatial, sides, strict=True))
    else:
        steps = tuple(1 / factor for factor in factors)
    return sides, steps


def _weights_of_taps(position, mode):
    """Return the two or four old positions around `position` and their weights."""
    low = int(np.floor(position))
    t = position - low
    if mode == "bilinear":
        return ((low, 1 - t), (low + 1, t))
    a = -0.75  # PyTorch's value; MindSpore's bicubic kernel uses another

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return ((low - 1, far(1 + t)), (low, near(t)), (low + 1, near(1 - t)), (low + 2, far(2 - t)))


@constexpr
def _resampling(old, new, step, mode, align_corners, dtype):
    """Return the (new, old) matrix that resizes one dimension."""
    matrix = np.zeros((new, old))
    for i in range(new):
        position = i * (old - 1) / max(new - 1, 1) if align_corners else (i + 0.5) * step - 0.5
        if mode == "bilinear":
            position = max(position, 0.0)
        for tap, weight in _weights_of_taps(position, mode):
            matrix[i, min(max(tap, 0), old - 1)] += weight
    return Tensor(matrix, dtype)


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None):
    """`mint.nn.functional.interpolate` for (N, C, H, W): nearest (mint's own kernel), bilinear, bicubic.

    Bilinear and bicubic are products with a small matrix on each side, so they have gradients and support the dtypes of
    matrix products. Other modes and ranks raise NotImplementedError, and so does nearest with a scale factor that does
    not give an integer number of pixels.
    """
    if input.ndim != 4:
        raise NotImplementedError(f"interpolate takes (N, C, H, W) on CPU, got {input.ndim} dimensions")
    only("mode", mode, ("nearest", "bilinear", "bicubic"))
    if mode == "nearest" and align_corners is not None:
        raise ValueError(f"interpolate: align_corners={align_corners} is only for mode 'bilinear' or 'bicubic'")
    old = input.shape[2:]
    sides, steps = _resized(old, size, scale_factor, recompute_scale_factor)
    if mode == "nearest":
        if abs(steps[0] * sides[0] - old[0]) > 1e-6 or abs(steps[1] * sides[1] - old[1]) > 1e-6:
            # PyTorch samples at the given factor, the kernel at the ratio of the sizes.
            raise NotImplementedError(
                f"interpolate: scale_factor={scale_factor} of {old} gives no integer number of pixels; with mode "
                "'nearest' on CPU, pass size or recompute_scale_factor=True"
            )
        return STOCK_INTERPOLATE(input, size=sides, mode="nearest")
    rows = _resampling(old[0], sides[0], steps[0], mode, bool(align_corners), input.dtype)
    columns = _resampling(old[1], sides[1], steps[1], mode, bool(align_corners), input.dtype)
    return mint.matmul(mint.matmul(rows, input), columns.swapaxes(0, 1))
