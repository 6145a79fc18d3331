"""Sorting and the largest entries. Indices are int64, as in mint."""

import mindspore as ms
from mindspore import ops

from .arguments import axis_of


def sort(input, *, dim=-1, descending=False, stable=False):
    """`mint.sort`: (values, indices). The kernel defines the order of equal values, so stable=True raises an error."""
    if stable:
        raise NotImplementedError("sort: stable=True is not supported on CPU; supported: False")
    values, indices = ops.sort(input, axis_of(dim, input.ndim), descending)
    return values, indices.astype(ms.int64)


def argsort(input, dim=-1, descending=False, stable=False):
    """`mint.argsort`: the indices of `sort`."""
    return sort(input, dim=dim, descending=descending, stable=stable)[1]


def topk(input, k, dim=-1, largest=True, sorted=True):
    """`mint.topk`: (values, indices) of the `k` largest or smallest, sorted even with sorted=False."""
    axis = axis_of(dim, input.ndim)
    if not 0 <= k <= input.shape[axis]:
        raise ValueError(f"topk: k must be in [0, {input.shape[axis]}], got {k}")
    values, indices = ops.sort(input, axis, bool(largest))
    return ops.narrow(values, axis, 0, k), ops.narrow(indices, axis, 0, k).astype(ms.int64)
