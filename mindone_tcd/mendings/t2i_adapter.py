"""T2I-Adapter that leaves the last steps alone: `adapter_conditioning_factor` below 1."""

from __future__ import annotations

from collections.abc import Callable

from ..replacing import rewrite


def _none_stays_none(original: Callable) -> Callable:
    return rewrite(
        original,
        r"ms\.mutable\((down_intrablock_additional_residuals)\)",
        r"ms.mutable(\1) if \1 is not None else None",
        "with steps without the adapter",
    )


REPLACED: dict[str, Callable] = {
    "mindone.diffusers.pipelines.t2i_adapter.pipeline_stable_diffusion_xl_adapter:"
    "StableDiffusionXLAdapterPipeline.__call__": _none_stays_none,
}
