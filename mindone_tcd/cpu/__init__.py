"""Kernels that MindSpore's CPU backend lacks or does slowly, so that mindone's models run without an accelerator.

`enable()` looks at the device target and does nothing unless it is CPU. Each file holds the kernels of one kind,
`table.py` names every original and its replacement. The replacements run in PyNative and graph mode, have gradients,
and refuse what they cannot honour; float16 works and is slow, bfloat16 has no matrix product on CPU.
"""

from ..environment import require_mindspore

require_mindspore()

from .switch import disable, enable, enabled, needed, table  # noqa: E402
from .table import REPLACEMENTS  # noqa: E402

__all__ = ["REPLACEMENTS", "disable", "enable", "enabled", "needed", "table"]
