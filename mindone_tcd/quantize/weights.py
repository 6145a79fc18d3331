"""Quantize one weight: 8-bit integers, and one scale for each output channel."""

from __future__ import annotations

import numpy as np

LARGEST = 127
"""The largest integer. -128 is not used, so that the range is symmetric."""

_VALUES_AT_ONCE = 1 << 20
"""So many values are widened at once. A layer of SD 1.5 has up to 29 million."""


def quantized(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantize a weight.

    Args:
        weight: floats, (out, in) of a linear layer or (out, in, height, width) of a convolution.

    Returns:
        Integers, int8 of the same shape, and scales, float32 (out,). Their product differs from the weight by at most
        half a scale. The largest absolute value of a channel is 127 times its scale. The scale of zeros is 1.
    """
    integers = np.empty(weight.shape, np.int8)
    scales = np.empty(weight.shape[0], np.float32)
    rows, flat = weight.reshape(len(weight), -1), integers.reshape(len(weight), -1)
    step = max(1, _VALUES_AT_ONCE // max(1, rows.shape[1]))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        flat[part], scales[part] = _of_rows(rows[part].astype(np.float32))
    return integers, scales


def _of_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scales = (largest / np.float32(LARGEST)).astype(np.float32)
    scales[scales == 0] = 1  # of zeros, and of numbers so small that their scale is rounded to zero
    return np.clip(np.rint(rows / scales[:, None]), -LARGEST, LARGEST).astype(np.int8), scales


def dequantized(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the weight that integers and scales stand for, float32."""
    return integers.astype(np.float32) * scales.reshape(-1, *[1] * (integers.ndim - 1))
