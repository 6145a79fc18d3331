"""Kernels that MindSpore's CPU backend lacks or does slowly, so that mindone's models run without an accelerator.

`enable()` looks at the device target and does nothing unless it is CPU. Each file holds the kernels of one kind,
`mindone_tcd/patches/cpu_kernels.py` names every original and its replacement. The replacements run in PyNative and
graph mode, have gradients, and refuse what they cannot honour; float16 works and is slow, bfloat16 has no matrix
product on CPU.

Where the package was installed with a C++ compiler at hand, a few operations in float32 run on kernels of its own
(`native_kernels()`); everywhere else stock kernels do the same.
"""

from ..environment import require_mindspore

require_mindspore()

from .native import in_use as native_kernels  # noqa: E402
from .native import use as use_native_kernels  # noqa: E402
from .switch import device, disable, enable, enabled, needed, replacements  # noqa: E402

__all__ = [
    "device",
    "disable",
    "enable",
    "enabled",
    "native_kernels",
    "needed",
    "replacements",
    "use_native_kernels",
]
