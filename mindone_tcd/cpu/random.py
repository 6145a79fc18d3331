"""Random tensors, drawn by NumPy from the state of MindSpore's own generators.

`ms.manual_seed` and `ms.set_rng_state` govern them as they do on other devices; the values differ from Ascend's.
They need PyNative mode: a graph would keep the first draw as a constant.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor
from mindspore.common.generator import default_generator
from mindspore.ops.primitive import constexpr

from .arguments import shape_from


def _something():
    return 0


@constexpr(check=False)
def _is_none(value):
    return value is None


def _in_graph():
    # The compiler hands a function over as None, Python as itself.
    return _is_none(_something)


def _source(generator):
    """A NumPy generator for one draw, after which the MindSpore generator's offset has moved on by one."""
    if _in_graph():
        raise NotImplementedError(
            "random tensors cannot be drawn inside ms.jit on CPU (the graph would repeat one draw): draw them outside"
        )
    generator = default_generator if generator is None else generator
    state = np.ascontiguousarray(generator.get_state().asnumpy()).view(np.uint64)
    seed, offset = int(state[0]), int(state[1])
    generator.set_state(Tensor(np.array([seed, offset + 1], np.uint64).view(np.uint8)))
    return np.random.Generator(np.random.PCG64([seed, offset]))


def randn(*size, generator=None, dtype=None):
    """`mint.randn`: standard normal values, float32 unless `dtype` is given."""
    return Tensor(_source(generator).standard_normal(shape_from(size)), dtype or ms.float32)


def randn_like(input, *, dtype=None):
    """`mint.randn_like`."""
    return Tensor(_source(None).standard_normal(input.shape), dtype or input.dtype)


def rand(*size, generator=None, dtype=None):
    """`mint.rand`: uniform on [0, 1), float32 unless `dtype` is given."""
    return Tensor(_uniform(_source(generator), shape_from(size)), dtype or ms.float32)


def rand_like(input, *, dtype=None):
    """`mint.rand_like`."""
    return Tensor(_uniform(_source(None), input.shape), dtype or input.dtype)


def randint(*args, generator=None, dtype=None):
    """`mint.randint(high, size)` or `(low, high, size)`: integers of [low, high), int64 unless `dtype` is given."""
    if len(args) not in (2, 3):
        raise ValueError(f"randint takes (high, size) or (low, high, size), got {len(args)} positional arguments")
    low, high, size = (0, *args) if len(args) == 2 else args
    if high <= low:
        raise ValueError(f"randint: high must be above low, got low={low}, high={high}")
    return Tensor(_source(generator).integers(low, high, tuple(size)), dtype or ms.int64)


def randperm(n, *, generator=None, dtype=ms.int64):
    """`mint.randperm`: the integers below `n` in random order."""
    return Tensor(_source(generator).permutation(n), dtype)


def normal(mean=0.0, std=1.0, size=None, generator=None):
    """`mint.normal`: float32 values around `mean`; either may be a tensor, `size` is for two numbers only."""
    tensors = [value for value in (mean, std) if isinstance(value, Tensor)]
    if tensors and size is not None:
        raise ValueError("normal: size must not be given when mean or std is a tensor")
    if not tensors and size is None:
        raise ValueError("normal: size is needed when mean and std are numbers")
    mean = mean.asnumpy() if isinstance(mean, Tensor) else mean
    std = std.asnumpy() if isinstance(std, Tensor) else std
    if np.any(np.asarray(std) < 0):
        raise ValueError("normal: std must not be negative")
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if tensors else tuple(size)
    return Tensor(mean + std * _source(generator).standard_normal(shape), ms.float32)


def _uniform(source, shape):
    # Drawn as float32: a float64 just below 1 would round to 1.
    return source.random(shape, dtype=np.float32)
