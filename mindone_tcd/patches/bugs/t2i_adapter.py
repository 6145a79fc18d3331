"""Support `adapter_conditioning_factor` below 1, with which a T2I-Adapter does not act in the last steps."""

from __future__ import annotations

from collections.abc import Callable

from ...patching.rewrite import rewrite


def allow_none(original: Callable) -> Callable:
    """Rewrite the pipeline's `__call__` so that the adapter's residuals may be None."""
    return rewrite(
        original,
        r"ms\.mutable\((down_intrablock_additional_residuals)\)",
        r"ms.mutable(\1) if \1 is not None else None",
        "with steps without the adapter",
    )
