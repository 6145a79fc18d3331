"""Quantize one weight: 8-bit integers, and one scale for each output channel."""

from __future__ import annotations

import numpy as np

LARGEST = 127
"""The largest integer. -128 is not used, so that the range is symmetric."""


def quantized(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantize a weight.

    Args:
        weight: floats, (out, in) of a linear layer or (out, in, height, width) of a convolution.

    Returns:
        Integers, int8 of the same shape, and scales, float32 (out,). Their product differs from the weight by at most
        half a scale. The largest absolute value of a channel is 127 times its scale. A channel of zeros has the scale 1.
    """
    rows = weight.astype(np.float32).reshape(weight.shape[0], -1)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / np.float32(LARGEST), np.float32(1)).astype(np.float32)
    # The scale of a subnormal channel may be rounded to zero.
    scales[scales == 0] = 1
    integers = np.clip(np.rint(rows / scales[:, None]), -LARGEST, LARGEST).astype(np.int8)
    return integers.reshape(weight.shape), scales


def dequantized(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the weight that integers and scales stand for, float32."""
    return integers.astype(np.float32) * scales.reshape(-1, *[1] * (integers.ndim - 1))
