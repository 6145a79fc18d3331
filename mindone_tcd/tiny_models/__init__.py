"""Tiny random models in the exact file layout of the real models.

Their images are noise. They show that a script, a file layout and a pipeline work, in seconds and without a network.
Every folder, file, key and configuration entry is what diffusers writes for the real model. Only the widths are small
(images of 64 × 64 pixels), and the values are random.

    >>> from mindone_tcd.tiny_models import make
    >>> folder = make("sdxl", "work/sdxl")
"""

from .folder import LAYOUTS, NAMES, make, make_temporary

__all__ = ["LAYOUTS", "NAMES", "make", "make_temporary"]
