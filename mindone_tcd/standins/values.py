"""Random weights that keep activations in a sane range, each tensor a function of its name alone."""

from __future__ import annotations

import zlib

import numpy as np

_EMBEDDINGS = ("token_embedding.weight", "position_embedding.weight", "position_embeddings")
_GAINS = {"lora_B": 0.3, "up": 0.3, "conv_out": 0.3}
"""A LoRA is a change, not another model; and a picture should mostly lie inside [0, 1]: clipping hides differences."""


def values(name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values of one tensor.

    Norms scale by about 1 and biases are small. Matrices and kernels get the deviation 1/√fan-in, so that what a model
    would be zero-initialised with (the convolutions of a ControlNet, the output of a motion module) matters too.

    Args:
        name: of the tensor among all stand-ins; the same name gives the same values everywhere.
        key: in its file, which says what kind of tensor it is.
        shape: of the result.

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
    """Transformer position codes, (1, length, width): even columns sine, odd ones cosine, periods up to 20000π."""
    _, length, width = shape
    angles = np.arange(length)[:, None] * np.exp(np.arange(0, width, 2) * (-np.log(10000.0) / width))
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(shape)
