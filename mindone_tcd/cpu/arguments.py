"""Argument handling that the kernels share. It runs on the host; in graph mode, at compile time."""

from mindspore.ops.primitive import _primexpr


@_primexpr
def pair(value, name):
    """Return two integers from one integer, or from a sequence of one or two."""
    items = (value, value) if isinstance(value, int) else tuple(value)
    if len(items) == 1:
        items = items * 2
    if len(items) != 2:
        raise ValueError(f"{name} must be an integer or two of them, got {value!r}")
    return items


@_primexpr
def axis_of(dim, ndim, name="dim"):
    """Return `dim` as a nonnegative axis; raise ValueError if the tensor has no such dimension."""
    # PyTorch accepts dimension 0 or -1 for a 0-d tensor.
    bound = max(ndim, 1)
    if not isinstance(dim, int) or isinstance(dim, bool) or not -bound <= dim < bound:
        raise ValueError(f"{name} must be an integer in [{-bound}, {bound - 1}], got {dim!r}")
    return dim % bound


@_primexpr
def axes_of(dim, ndim, name="dim"):
    """Return a tuple of distinct axes from None (all axes), one integer or several."""
    if dim is None:
        return tuple(range(ndim))
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(given) == 0:
        return tuple(range(ndim))
    axes = tuple(axis % ndim if -ndim <= axis < ndim else None for axis in given)
    if None in axes or len(set(axes)) != len(axes):
        raise ValueError(f"{name} must be distinct integers in [{-ndim}, {ndim - 1}], got {dim!r}")
    return axes


@_primexpr
def only(name, given, supported, why="the CPU kernel has no other case"):
    """Raise NotImplementedError for an argument that a replacement does not support, with its name and value."""
    if given not in supported:
        raise NotImplementedError(f"{name}={given!r} is not supported on CPU ({why}); supported: {supported}")


@_primexpr
def one_of(name, given, choices):
    """Raise ValueError for a value that the original does not support either."""
    if given not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {given!r}")


@_primexpr
def shape_from(size):
    """Return the shape from `f(2, 3)` or from `f((2, 3))`."""
    if len(size) == 1 and not isinstance(size[0], int):
        return tuple(size[0])
    return tuple(size)


@_primexpr
def count(shape, axes):
    """Return how many values a reduction over `axes` combines."""
    total = 1
    for axis in axes:
        total *= shape[axis]
    return total
