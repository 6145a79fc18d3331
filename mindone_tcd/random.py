"""Random numbers that are equal on every device and in every dtype.

NumPy generates all noise on the host as float64 standard normals. Then it is scaled and cast. With one generator, the
numbers of the whole batch come from one stream. With a list, each image has its own stream, so an image does not depend
on its batch. The streams equal those of mindone's `randn_tensor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import mindspore as ms

Generators: TypeAlias = np.random.Generator | list[np.random.Generator] | tuple[np.random.Generator, ...] | None


def generator(seed: int) -> np.random.Generator:
    """Return a PCG64 stream.

    Args:
        seed: an integer of at least 0.

    Raises:
        ValueError: if `seed` is not an integer of at least 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected an integer of at least 0")
    return np.random.Generator(np.random.PCG64(int(seed)))


def generators(seed: int, count: int) -> list[np.random.Generator]:
    """Return one stream per image. The image at index i has the seed `seed + i`, regardless of the batch size.

    Raises:
        ValueError: if `seed` is not an integer of at least 0, or `count` is not an integer of at least 1.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"count is {count!r}; expected the number of images, an integer of at least 1")
    return [generator(seed + index) for index in range(count)]


def standard_normal(shape: Sequence[int], generator: Generators = None) -> np.ndarray:
    """Generate standard normals on the host.

    Args:
        shape: the shape of the result, batch first.
        generator: one stream for the whole batch; or a list or tuple with one stream per image, each of which generates
            `(1, *shape[1:])`; or None for a new, unseeded stream.

    Returns:
        float64 array of `shape`.

    Raises:
        ValueError: if the list's length is not the batch size.
        TypeError: if an item of `generator` has no `standard_normal` method.
    """
    shape = tuple(int(size) for size in shape)
    check_generators(generator, shape[0])
    if generator is None:
        return np.random.default_rng().standard_normal(shape)
    if isinstance(generator, list | tuple):
        return np.concatenate([stream.standard_normal((1, *shape[1:])) for stream in generator])
    return generator.standard_normal(shape)


def randn(shape: Sequence[int], generator: Generators = None, dtype: ms.Type | None = None) -> ms.Tensor:
    """Return `standard_normal` as a tensor of `dtype` (None: float32). It has the same arguments and errors."""
    import mindspore as ms

    return ms.Tensor(standard_normal(shape, generator), dtype=dtype or ms.float32)


def check_generators(generator: Generators, count: int) -> None:
    """Check that the generators can provide noise for `count` images.

    Raises:
        ValueError: if `generator` is a list whose length is not `count`.
        TypeError: if an item of `generator` has no `standard_normal` method.
    """
    if generator is None:
        return
    if isinstance(generator, list | tuple) and len(generator) != count:
        raise ValueError(
            f"{len(generator)} generators for a batch of {count}: "
            "pass one per image, or a single generator (not in a list) for the whole batch"
        )
    for stream in generator if isinstance(generator, list | tuple) else [generator]:
        if not hasattr(stream, "standard_normal"):
            raise TypeError(
                f"a generator is of type {type(stream).__name__}; "
                "expected np.random.Generator, for example np.random.Generator(np.random.PCG64(seed))"
            )
