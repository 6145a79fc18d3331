"""Tensor creation: arange, linspace, full and the *_like family."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops
from mindspore.ops.primitive import constexpr

from .arguments import shape_from


def _number(value):
    """Convert a number or a 0-d tensor to a Python number."""
    if isinstance(value, Tensor):
        return value.item()
    return value


@constexpr
def _arange(start, end, step, dtype):
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if (end - start) * step < 0:
        raise ValueError(f"arange: from {start} to {end} in steps of {step} leads away from the end")
    whole = all(isinstance(value, (int, np.integer)) for value in (start, end, step))
    if dtype is None:
        dtype = ms.int64 if whole else ms.float32
    # start + i·step, as in PyTorch; np.arange computes the length in the same way.
    length = len(np.arange(start, end, step))
    values = start + step * np.arange(length, dtype=np.int64 if whole else np.float64)
    return Tensor(values, dtype)


@constexpr
def _linspace(start, end, steps, dtype):
    if not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(f"linspace: steps must be an integer of 0 or more, got {steps!r}")
    return Tensor(np.linspace(start, end, steps), ms.float32 if dtype is None else dtype)


@constexpr
def _full(size, value, dtype):
    size = (size,) if isinstance(size, int) else tuple(size)
    if dtype is None:
        dtype = ms.bool_ if isinstance(value, bool) else ms.int64 if isinstance(value, int) else ms.float32
    return Tensor(np.full(size, value), dtype)


def arange(start=0, end=None, step=1, *, dtype=None):
    """`mint.arange`: int64 when start, end and step are integers, float32 otherwise, or `dtype`."""
    if end is None:
        start, end = 0, start
    return _arange(_number(start), _number(end), _number(step), dtype)


def linspace(start, end, steps, *, dtype=None):
    """`mint.linspace`: `steps` values from start to end, both included, computed in float64."""
    return _linspace(_number(start), _number(end), _number(steps), dtype)


def full(size, fill_value, *, dtype=None):
    """`mint.full`: the dtype follows the value (bool, int64, float32) unless `dtype` is given."""
    if isinstance(fill_value, Tensor):
        size = (size,) if isinstance(size, int) else tuple(size)
        return ops.broadcast_to(fill_value, size).astype(fill_value.dtype if dtype is None else dtype)
    return _full(size, fill_value, dtype)


def zeros_like(input, *, dtype=None):
    """`mint.zeros_like`."""
    return ops.zeros(input.shape, input.dtype if dtype is None else dtype)


def ones_like(input, *, dtype=None):
    """`mint.ones_like`."""
    return ops.ones(input.shape, input.dtype if dtype is None else dtype)


def full_like(input, fill_value, *, dtype=None):
    """`mint.full_like`: `input`'s shape, and its dtype unless `dtype` is given."""
    return full(input.shape, fill_value, dtype=input.dtype if dtype is None else dtype)


def empty(*size, dtype=None, device=None, pin_memory=False):
    """`mint.empty`, filled with zeros: the CPU backend cannot leave memory unset."""
    _where(device, pin_memory)
    return ops.zeros(shape_from(size), ms.float32 if dtype is None else dtype)


def empty_like(input, *, dtype=None, device=None, pin_memory=False):
    """`mint.empty_like`, filled with zeros."""
    _where(device, pin_memory)
    return ops.zeros(input.shape, input.dtype if dtype is None else dtype)


def _where(device, pin_memory):
    if device is not None and device != "CPU":
        raise ValueError(f"device={device!r}: with device target CPU, tensors can only be created on 'CPU'")
    if pin_memory:
        raise NotImplementedError("pin_memory=True is not supported on CPU; supported: False")
