"""Stand-ins: tiny models with random values, in the exact file layout of the real ones.

They show no picture worth seeing. They prove that a script, a file layout and a pipeline work, in seconds and with no
network: every folder, file, key and configuration entry is what diffusers writes for the real model; only widths are
small (pictures of 64 × 64 pixels) and values random.

    >>> from mindone_tcd.standins import make
    >>> folder = make("sdxl", "work/sdxl")
"""

from .folder import LAYOUTS, NAMES, make, on_the_spot

__all__ = ["LAYOUTS", "NAMES", "make", "on_the_spot"]
