"""float16 autoencoders that overflow: noticed, and run in float32.

SDXL's own autoencoder has activations beyond float16's 65504, and then every pixel, or every latent of a given image,
is NaN: a black image. mindone guards against it only where the configuration says ``force_upcast``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np

if TYPE_CHECKING:
    from mindone.diffusers import AutoencoderKL

_OVERFLOWS = "_mindone_tcd_overflows_in_"


def decoding(original: Callable) -> Callable:
    """``AutoencoderKL.decode`` that falls back to float32, with a warning the first time.

    It also warns of latents that are not finite before it begins.
    """

    @functools.wraps(original)
    def decode(self: AutoencoderKL, z: ms.Tensor, *args: Any, **kwargs: Any) -> Any:
        if not _finite(z):
            warnings.warn(
                "the latents are not finite (NaN or infinite) before the autoencoder decodes them, so the image will "
                "be black: the UNet or the scheduler made them so, not the autoencoder; try float32, and look at the "
                "weights, the LoRA scales and the scheduler's prediction_type",
                stacklevel=2,
            )
            return original(self, z, *args, **kwargs)
        return _or_upcast(self, original, z, args, kwargs)

    return decode


def encoding(original: Callable) -> Callable:
    """``AutoencoderKL.encode`` that falls back to float32, with a warning the first time."""

    @functools.wraps(original)
    def encode(self: AutoencoderKL, x: ms.Tensor, *args: Any, **kwargs: Any) -> Any:
        result = _or_upcast(self, original, x, args, kwargs)
        moments = result[0]
        if self.dtype != ms.float16 or moments.dtype == ms.float16:
            return result
        # Pipelines mix the latents with noise in float16 and hand both to the UNet as they are.
        moments = moments.astype(ms.float16)
        return (moments,) if isinstance(result, tuple) else type(result)(moments)

    return encode


def _or_upcast(vae: AutoencoderKL, method: Callable, values: ms.Tensor, args: tuple, kwargs: dict) -> Any:
    """``method`` of a float16 autoencoder, in float32 once its result was not finite; of another one as it is."""
    if vae.dtype != ms.float16:
        return method(vae, values, *args, **kwargs)
    overflows = _OVERFLOWS + method.__name__
    if not getattr(vae, overflows, False):
        result = method(vae, values, *args, **kwargs)
        if _finite(result[0]) or not _finite(values):
            return result
        object.__setattr__(vae, overflows, True)
        warnings.warn(
            f"the autoencoder overflows in float16 (black images): it {method.__name__}s in float32 from here on; "
            "an autoencoder made for float16, such as madebyollin/sdxl-vae-fp16-fix, saves the memory and the time",
            stacklevel=3,
        )
    vae.to(ms.float32)
    try:
        return method(vae, values.astype(ms.float32), *args, **kwargs)
    finally:
        vae.to(ms.float16)


def _finite(values: ms.Tensor) -> bool:
    if values.dtype == ms.bfloat16:  # which NumPy does not have
        values = values.astype(ms.float32)
    return bool(np.isfinite(values.asnumpy()).all())
