"""T2I-Adapter that leaves the last steps alone: `adapter_conditioning_factor` below 1."""

from __future__ import annotations

from collections.abc import Callable

from ...patching.rewrite import rewrite


def allow_none(original: Callable) -> Callable:
    return rewrite(
        original,
        r"ms\.mutable\((down_intrablock_additional_residuals)\)",
        r"ms.mutable(\1) if \1 is not None else None",
        "with steps without the adapter",
    )
