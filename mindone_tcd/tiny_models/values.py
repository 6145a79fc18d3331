"""Random weights that keep activations in a moderate range. Each tensor is a function of its name."""

from __future__ import annotations

import zlib

import numpy as np

_EMBEDDINGS = ("token_embedding.weight", "position_embedding.weight", "position_embeddings")
_GAINS = {"lora_B": 0.3, "up": 0.3, "conv_out": 0.3}
"""Small gains: a LoRA only modifies a model, and clipping of images outside [0, 1] would hide differences."""


def values(name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values of one tensor.

    Norm scales are about 1 and biases are small. Matrices and kernels have the standard deviation 1/√fan-in. So layers
    that real models initialize with zeros (a ControlNet's convolutions, a motion module's output) matter too.

    Args:
        name: the tensor's unique name among all tiny models; the same name gives the same values everywhere.
        key: the tensor's key in its file, which determines its kind.
        shape: the shape of the result.

    Returns:
        float64 array.
    """
    if key.endswith("pos_embed.pe"):
        return _sinusoids(shape)
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    if key.endswith(".bias"):
        return 0.05 * noise
    if key.endswith("_embeds_weights"):
        return 0.44 + 0.02 * noise
    if len(shape) < 2:
        return 1 + 0.1 * noise
    if key.endswith(_EMBEDDINGS):
        return 0.5 * noise
    return _GAINS.get(key.rpartition(".")[0].rpartition(".")[2], 1.0) * noise / _fan_in(shape) ** 0.5


def _fan_in(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:]))


def _sinusoids(shape: tuple[int, ...]) -> np.ndarray:
    """Return sinusoidal position codes, (1, length, width): sine in even columns, cosine in odd ones."""
    _, length, width = shape
    angles = np.arange(length)[:, None] * np.exp(np.arange(0, width, 2) * (-np.log(10000.0) / width))
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(shape)
