"""Makers of the patches that put our loaders on mindone's own classes, so that each of its pipelines has them.

They do more than fix a bug (every layout, every key checked before anything changes, records of what is loaded), so
they apply to every version of mindone. Every other method that changes adapters is mindone's own, and runs in a
transaction: after an error, the pipeline is as before.
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
    """A pipeline's ``load_lora_weights``, by our loader."""

    @functools.wraps(original)
    def load_lora_weights(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        with transaction(self):
            if not hasattr(self, "unet"):  # aMUSEd, whose transformer is none of our models
                return original(self, pretrained_model_name_or_path_or_dict, *args, **options)
            fused, names = lora_fusing.fused_adapters(self), records.adapter_names(self)
            with warnings.catch_warnings():
                # One for the pipeline below, instead of one for each of its models.
                warnings.simplefilter("ignore", lora_fusing.FusedLoraTakenOut)
                lora.load_lora_weights(self, pretrained_model_name_or_path_or_dict, *args, **options)
            still = lora_fusing.fused_adapters(self) if fused else []
            lost = [name for name in fused if name not in still]
            if lost:
                warn_user(lora_fusing.taken_out(lost, sorted(records.adapter_names(self) - names)))
        return None

    load_lora_weights.__doc__ = lora.load_lora_weights.__doc__
    return load_lora_weights


def recording_fused(original: Callable) -> Callable:
    """A model's ``unload_lora``, which keeps a record of what is fused."""

    @functools.wraps(original)
    def unload_lora(self: Any) -> None:
        with transaction(self):
            records.keep_fused(self)
            original(self)

    return unload_lora


def loading_ip_adapter(original: Callable) -> Callable:
    """A pipeline's ``load_ip_adapter``, by our loader."""

    @functools.wraps(original)
    def load_ip_adapter(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        with transaction(self):
            ip_adapter.load_ip_adapter(original, self, pretrained_model_name_or_path_or_dict, *args, **options)

    load_ip_adapter.__doc__ = ip_adapter.load_ip_adapter.__doc__
    return load_ip_adapter
