"""Detect float16 autoencoders that overflow, and run them in float32.

The original SDXL autoencoder has activations above 65504, the maximum of float16. Every pixel, or every latent of an
encoded image, is then NaN, and the image is black. mindone avoids this only if the configuration sets
``force_upcast``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np

from ..errors import warn_user

if TYPE_CHECKING:
    from mindone.diffusers import AutoencoderKL

_OVERFLOWS = "_mindone_tcd_overflows_in_"


def decoding(original: Callable) -> Callable:
    """Wrap ``AutoencoderKL.decode``: if it overflows in float16, run it in float32, with a warning the first time.

    The wrapper also warns if the latents are not finite before they are decoded.
    """

    @functools.wraps(original)
    def decode(self: AutoencoderKL, z: ms.Tensor, *args: Any, **kwargs: Any) -> Any:
        if not _finite(z):
            warn_user(
                "the latents are not finite (NaN or infinite) before the autoencoder decodes them, so the image will "
                "be black: the cause is the UNet or the scheduler, not the autoencoder; try float32, and check the "
                "weights, the LoRA scales and the scheduler's prediction_type",
            )
            return original(self, z, *args, **kwargs)
        return _or_upcast(self, original, z, args, kwargs)

    return decode


def encoding(original: Callable) -> Callable:
    """Wrap ``AutoencoderKL.encode``: if it overflows in float16, run it in float32, with a warning the first time.

    The moments of a float16 autoencoder stay float16.
    """

    @functools.wraps(original)
    def encode(self: AutoencoderKL, x: ms.Tensor, *args: Any, **kwargs: Any) -> Any:
        result = _or_upcast(self, original, x, args, kwargs)
        moments = result[0]
        if self.dtype != ms.float16 or moments.dtype == ms.float16:
            return result
        # Pipelines add float16 noise to the latents and pass the sum to the UNet without a conversion.
        moments = moments.astype(ms.float16)
        return (moments,) if isinstance(result, tuple) else type(result)(moments)

    return encode


def _or_upcast(vae: AutoencoderKL, method: Callable, values: ms.Tensor, args: tuple, kwargs: dict) -> Any:
    """Run ``method``, or, after its first result that is not finite, run it in float32 from then on.

    An autoencoder of another dtype than float16 runs unchanged.
    """
    if vae.dtype != ms.float16:
        return method(vae, values, *args, **kwargs)
    overflows = _OVERFLOWS + method.__name__
    if not getattr(vae, overflows, False):
        result = method(vae, values, *args, **kwargs)
        if _finite(result[0]) or not _finite(values):
            return result
        object.__setattr__(vae, overflows, True)
        warn_user(
            f"the autoencoder overflows in float16 (black images): it {method.__name__}s in float32 from now on; "
            "to save memory and time, use an autoencoder made for float16, such as madebyollin/sdxl-vae-fp16-fix",
        )
    vae.to(ms.float32)
    try:
        return method(vae, values.astype(ms.float32), *args, **kwargs)
    finally:
        vae.to(ms.float16)


def _finite(values: ms.Tensor) -> bool:
    if values.dtype == ms.bfloat16:  # NumPy has no bfloat16
        values = values.astype(ms.float32)
    return bool(np.isfinite(values.asnumpy()).all())
