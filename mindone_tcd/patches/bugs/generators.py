"""Check the generators of `randn_tensor`: a list needs one generator, or one for each image of the batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any


def check(original: Callable) -> Callable:
    """Wrap `randn_tensor`: accept any sequence as the shape and any sequence of generators, and check their number."""

    @functools.wraps(original)
    def randn_tensor(shape: Sequence[int], generator: Any = None, dtype: Any = None) -> Any:
        from ...random import check_generators

        shape = tuple(shape)
        if isinstance(generator, list | tuple):
            # As in diffusers, a list of one generator is for the whole batch.
            generator = generator[0] if len(generator) == 1 else list(generator)
        check_generators(generator, shape[0])
        return original(shape, generator=generator, dtype=dtype)

    return randn_tensor
