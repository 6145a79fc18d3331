"""float16 autoencoders whose decoder overflows: noticed, and decoded in float32.

SDXL's own autoencoder has activations beyond float16's 65504, and then every pixel is NaN: a black picture. mindone
guards against it only where the configuration says ``force_upcast``.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import mindspore as ms
import numpy as np

_MENDED = "_mindone_tcd_half_precision"
_OVERFLOWS = "_mindone_tcd_overflows"


def install(cls: type) -> None:
    """Let ``cls.decode`` (an AutoencoderKL's) fall back to float32; may be called again."""
    decode = cls.decode
    if hasattr(decode, _MENDED):
        return

    @functools.wraps(decode)
    def decode_or_upcast(self: Any, z: ms.Tensor, *args: Any, **kwargs: Any) -> Any:
        half = self.dtype == ms.float16
        if not getattr(self, _OVERFLOWS, False):
            decoded = decode(self, z, *args, **kwargs)
            if not half or _finite(decoded[0]) or not _finite(z):
                return decoded
            object.__setattr__(self, _OVERFLOWS, True)
            warnings.warn(
                "the autoencoder overflows in float16 (black pictures): it decodes in float32 from here on; "
                "an autoencoder made for float16, such as madebyollin/sdxl-vae-fp16-fix, saves the memory and the time",
                stacklevel=3,
            )
        if not half:
            return decode(self, z, *args, **kwargs)
        self.to(ms.float32)
        try:
            return decode(self, z.astype(ms.float32), *args, **kwargs)
        finally:
            self.to(ms.float16)

    setattr(decode_or_upcast, _MENDED, True)
    cls.decode = decode_or_upcast


def _finite(values: ms.Tensor) -> bool:
    return bool(np.isfinite(values.asnumpy()).all())
