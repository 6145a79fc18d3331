"""Kernels that MindSpore's CPU backend lacks or runs slowly, so that mindone's models run without an accelerator.

`enable()` checks the device target and does nothing unless it is CPU. Each file contains the kernels of one kind.
`mindone_tcd/patches/cpu_kernels.py` lists every original and its replacement. The replacements run in PyNative and
graph mode, support gradients, and raise an error for arguments that they do not support. float16 works but is slow;
bfloat16 has no matrix product on CPU.

If a C++ compiler was available when the package was installed, a few float32 operations use native kernels
(`native_kernels()`). Otherwise stock kernels compute the same results.
"""

from ..environment import require_mindspore

require_mindspore(mindone=False)

from .native import in_use as native_kernels  # noqa: E402
from .native import use as use_native_kernels  # noqa: E402
from .switch import device, disable, enable, enabled, needed, prepare_runtime, replacements  # noqa: E402

__all__ = [
    "device",
    "disable",
    "enable",
    "enabled",
    "native_kernels",
    "needed",
    "prepare_runtime",
    "replacements",
    "use_native_kernels",
]
