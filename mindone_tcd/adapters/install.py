"""Our loaders in the place of mindone's, on mindone's own classes, so that each of its pipelines has them.

They are more than a mending (every layout, every key checked before anything changes, records of what is loaded), so
they apply to every version of mindone, whereas `mendings` checks the version first. Every other method that changes
adapters is mindone's own, and runs in a transaction: after an error, the pipeline is as before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..mendings import lora_fusing
from ..transaction import all_or_nothing, transaction
from . import ip_adapter, lora, motion, records

_MARK = "_mindone_tcd"

_OF_PIPELINES = (
    *("set_adapters", "delete_adapters", "fuse_lora", "unfuse_lora", "unload_lora_weights"),
    *("enable_lora", "disable_lora", "enable_lora_hotswap"),
)
_OF_MODELS = (
    *("load_lora_adapter", "add_adapter", "set_adapters", "set_adapter", "delete_adapters", "fuse_lora", "unfuse_lora"),
    *("enable_lora", "disable_lora", "enable_adapters", "disable_adapters"),
)


def install() -> None:
    """Put the loaders in place; a second call changes nothing.

    Raises:
        ImportError: if mindone is not there.
    """
    from mindone.diffusers.loaders import lora_pipeline
    from mindone.diffusers.loaders.ip_adapter import IPAdapterMixin
    from mindone.diffusers.loaders.lora_base import LoraBaseMixin
    from mindone.diffusers.loaders.peft import PeftAdapterMixin
    from mindone.diffusers.loaders.unet import UNet2DConditionLoadersMixin
    from mindone.diffusers.models.unets.unet_motion_model import MotionAdapter, UNetMotionModel

    for mixin in (lora_pipeline.StableDiffusionLoraLoaderMixin, lora_pipeline.StableDiffusionXLLoraLoaderMixin):
        _replace(mixin, "load_lora_weights", _lora)
    _replace(IPAdapterMixin, "load_ip_adapter", _ip_adapter)
    _replace(PeftAdapterMixin, "unload_lora", _unload)
    for owner, names in (
        (LoraBaseMixin, _OF_PIPELINES),
        (IPAdapterMixin, ("set_ip_adapter_scale", "unload_ip_adapter")),
        (PeftAdapterMixin, _OF_MODELS),
        (UNet2DConditionLoadersMixin, ("load_attn_procs",)),
        (UNetMotionModel, ("load_motion_modules",)),
    ):
        for name in names:
            _replace(owner, name, all_or_nothing)
    if "extract_init_dict" not in MotionAdapter.__dict__:
        MotionAdapter.extract_init_dict = motion.extract_init_dict(MotionAdapter.extract_init_dict)


def _replace(owner: type, name: str, make: Callable[[Callable], Callable]) -> None:
    original = owner.__dict__[name]
    if hasattr(original, _MARK):
        return
    wrapper = make(original)
    wrapper.__qualname__ = original.__qualname__
    setattr(wrapper, _MARK, original)
    setattr(owner, name, wrapper)


def _lora(original: Callable) -> Callable:
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
                warnings.warn(lora_fusing.taken_out(lost, sorted(records.adapter_names(self) - names)), stacklevel=2)
        return None

    load_lora_weights.__doc__ = lora.load_lora_weights.__doc__
    return load_lora_weights


def _unload(original: Callable) -> Callable:
    def unload_lora(self: Any) -> None:
        with transaction(self):
            records.keep_fused(self)
            original(self)

    return unload_lora


def _ip_adapter(original: Callable) -> Callable:
    def load_ip_adapter(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        with transaction(self):
            ip_adapter.load_ip_adapter(original, self, pretrained_model_name_or_path_or_dict, *args, **options)

    load_ip_adapter.__doc__ = ip_adapter.load_ip_adapter.__doc__
    return load_ip_adapter
