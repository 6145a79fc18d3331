"""Store float32 values in float16 where this changes nothing."""

from __future__ import annotations

import numpy as np


def narrowed(values: np.ndarray) -> np.ndarray:
    """Return a float32 array as float16 if that changes none of its values, else as it is.

    The weights of most published files are float16 numbers.
    """
    if values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if (half == values).all() else values
