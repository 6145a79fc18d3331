"""`randn_tensor` with a generator for each image: as many as there are images, and any kind of shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any


def check(original: Callable) -> Callable:
    @functools.wraps(original)
    def randn_tensor(shape: Sequence[int], generator: Any = None, dtype: Any = None) -> Any:
        from ...random import check_generators

        shape = tuple(shape)
        if isinstance(generator, list | tuple):
            # One generator in a list serves the whole batch, as in diffusers.
            generator = generator[0] if len(generator) == 1 else list(generator)
        check_generators(generator, shape[0])
        return original(shape, generator=generator, dtype=dtype)

    return randn_tensor
