"""Join, split and reorder tensors. Results are copies where mint returns views."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim
from mindspore.ops.primitive import _primexpr, constexpr

from .arguments import axes_of, axis_of, shape_from


def stack(tensors, dim=0):
    """`mint.stack`: tensors of one shape along a new dimension."""
    return ops.stack(tensors, dim)


@_primexpr
def _sections(length, sections):
    if not isinstance(sections, int):
        sizes = tuple(sections)
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ValueError(f"split_size_or_sections {sizes} must be of 0 or more and add up to {length}")
        return sizes
    if sections <= 0:
        raise ValueError(f"split_size_or_sections must be positive, got {sections}")
    whole, rest = divmod(length, sections)
    return (sections,) * whole + ((rest,) if rest else ())


@_primexpr
def _chunk_size(length, chunks):
    if chunks <= 0:
        raise ValueError(f"chunks must be positive, got {chunks}")
    return max(-(-length // chunks), 1)


def split(tensor, split_size_or_sections, dim=0):
    """`mint.split`: pieces of one size (the last may be smaller), or of the given sizes. Returns a tuple."""
    axis = axis_of(dim, tensor.ndim)
    sizes = _sections(tensor.shape[axis], split_size_or_sections)
    if len(sizes) > 1 and sizes.count(sizes[0]) == len(sizes):
        return _get_cache_prim(P.Split)(axis, len(sizes))(tensor)
    pieces = ()  # type: tuple  # graph mode cannot read an annotation
    start = 0
    for size in sizes:
        pieces = (*pieces, ops.narrow(tensor, axis, start, size))
        start = start + size
    return pieces


def chunk(input, chunks, dim=0):
    """`mint.chunk`: at most `chunks` pieces of equal size; the last may be smaller. Returns a tuple."""
    axis = axis_of(dim, input.ndim)
    return split(input, _chunk_size(input.shape[axis], chunks), axis)


def narrow(input, dim, start, length):
    """`mint.narrow`: `length` entries of one dimension, starting at `start`."""
    return ops.narrow(input, axis_of(dim, input.ndim), start, length)


def transpose(input, dim0, dim1):
    """`mint.transpose`: swaps two dimensions."""
    return ops.swapaxes(input, dim0, dim1)


def swapaxes(input, axis0, axis1):
    """`mint.swapaxes`: swaps two dimensions."""
    return ops.swapaxes(input, axis0, axis1)


def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    """`mint.repeat_interleave`: repeats each entry, by one number or by one number per entry of `dim`.

    `output_size`, if given, must equal the resulting length; mint uses it to avoid a device synchronization.
    """
    if dim is None:
        input = input.reshape(-1)
        dim = 0
    result = ops.repeat_interleave(input, repeats, dim)
    if output_size is not None and result.shape[dim] != output_size:
        raise ValueError(f"output_size is {output_size}, but the repeats give {result.shape[dim]}")
    return result


def repeat(input, *repeats):
    """`Tensor.repeat`: repeats the whole tensor `repeats` times along each dimension."""
    return ops.tile(input, shape_from(repeats))


@constexpr
def _order_after_roll(length, shift):
    return Tensor((np.arange(length) - shift) % max(length, 1), ms.int32)


@_primexpr
def _shifts(shifts, axes):
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    if len(shifts) != len(axes):
        raise ValueError(f"shifts and dims must be of equal length, got {shifts} and {axes}")
    return shifts


def roll(input, shifts, dims=None):
    """`mint.roll`: shifts entries cyclically; without `dims`, rolls the flattened tensor."""
    if dims is None:
        shift = _shifts(shifts, (0,))[0]
        return ops.gather(input.reshape(-1), _order_after_roll(input.size, shift), 0).reshape(input.shape)
    axes = axes_of(dims, input.ndim, "dims")
    shifts = _shifts(shifts, axes)
    for i in range(len(axes)):
        input = ops.gather(input, _order_after_roll(input.shape[axes[i]], shifts[i]), axes[i])
    return input


def tril(input, diagonal=0):
    """`mint.tril`: the lower triangle, zero above `diagonal`."""
    return ops.tril(input, diagonal)


@constexpr
def _diagonal_of_square(length, diagonal):
    side = length + abs(diagonal)
    rows = np.arange(length) + max(-diagonal, 0)
    return Tensor(rows * side + rows + diagonal, ms.int32), side


@constexpr
def _diagonal_of_matrix(rows, columns, diagonal):
    row = np.arange(max(-diagonal, 0), rows)
    row = row[row + diagonal < columns]
    return Tensor(row * columns + row + diagonal, ms.int32)


def diag(input, diagonal=0):
    """`mint.diag`: returns a matrix with a vector on `diagonal`, or that diagonal of a matrix."""
    if input.ndim == 1:
        positions, side = _diagonal_of_square(input.shape[0], diagonal)
        flat = ops.zeros((side * side,), input.dtype)
        return ops.tensor_scatter_elements(flat, positions, input).reshape(side, side)
    if input.ndim == 2:
        positions = _diagonal_of_matrix(input.shape[0], input.shape[1], diagonal)
        return ops.gather(input.reshape(-1), positions, 0)
    raise ValueError(f"diag takes one or two dimensions, got {input.ndim}")


def index_select(input, dim, index):
    """`mint.index_select`: the entries of `dim` that the 1-D `index` lists."""
    if index.ndim != 1:
        raise ValueError(f"index_select takes an index of one dimension, got {index.ndim}")
    return ops.gather(input, index, axis_of(dim, input.ndim))
