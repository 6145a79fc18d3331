"""Replace the adapter loaders of mindone's classes by ours, so that all its pipelines use them.

The patches apply to every version of mindone, because they do more than fix a defect: our loaders support all layouts
of files, check every key before anything changes, and record the loaded adapters. The other methods that change
adapters remain mindone's, and run in a transaction: after an error, the pipeline is unchanged.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import warn_user
from ..patches.bugs import lora_fusing
from ..transaction import transaction
from . import ip_adapter, lora, records


def loading_lora(original: Callable) -> Callable:
    """Replace a pipeline's ``load_lora_weights`` by our loader; a pipeline without a UNet keeps mindone's."""

    @functools.wraps(original)
    def load_lora_weights(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        with transaction(self):
            if not hasattr(self, "unet"):  # aMUSEd has a transformer, which our loader does not support
                return original(self, pretrained_model_name_or_path_or_dict, *args, **options)
            fused, names = lora_fusing.fused_adapters(self), records.adapter_names(self)
            with warnings.catch_warnings():
                # The code below warns once for the pipeline, instead of once for each of its models.
                warnings.simplefilter("ignore", lora_fusing.LoraUnfusedWarning)
                lora.load_lora_weights(self, pretrained_model_name_or_path_or_dict, *args, **options)
            still = lora_fusing.fused_adapters(self) if fused else []
            lost = [name for name in fused if name not in still]
            if lost:
                warn_user(lora_fusing.unfused_warning(lost, sorted(records.adapter_names(self) - names)))
        return None

    load_lora_weights.__doc__ = lora.load_lora_weights.__doc__
    return load_lora_weights


def recording_fused(original: Callable) -> Callable:
    """Wrap a model's ``unload_lora``: record the adapters that stay fused."""

    @functools.wraps(original)
    def unload_lora(self: Any) -> None:
        with transaction(self):
            records.keep_fused(self)
            original(self)

    return unload_lora


def loading_ip_adapter(original: Callable) -> Callable:
    """Replace a pipeline's ``load_ip_adapter`` by our loader."""

    @functools.wraps(original)
    def load_ip_adapter(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        with transaction(self):
            ip_adapter.load_ip_adapter(original, self, pretrained_model_name_or_path_or_dict, *args, **options)

    load_ip_adapter.__doc__ = ip_adapter.load_ip_adapter.__doc__
    return load_ip_adapter
