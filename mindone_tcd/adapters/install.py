"""Our loaders in the place of mindone's, on mindone's own classes, so that each of its pipelines has them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_MARK = "_mindone_tcd"


def install() -> None:
    """Put the loaders in place; a second call changes nothing.

    Raises:
        ImportError: if mindone is not there.
    """
    from mindone.diffusers.loaders import ip_adapter, lora_pipeline
    from mindone.diffusers.models.unets.unet_motion_model import MotionAdapter

    from .motion import extract_init_dict

    for mixin in (lora_pipeline.StableDiffusionLoraLoaderMixin, lora_pipeline.StableDiffusionXLLoraLoaderMixin):
        _replace(mixin, "load_lora_weights", _lora)
    _replace(ip_adapter.IPAdapterMixin, "load_ip_adapter", _ip_adapter)
    if "extract_init_dict" not in MotionAdapter.__dict__:
        MotionAdapter.extract_init_dict = extract_init_dict(MotionAdapter.extract_init_dict)


def _replace(owner: type, name: str, make: Callable[[Callable], Callable]) -> None:
    original = owner.__dict__[name]
    if hasattr(original, _MARK):
        return
    wrapper = functools.wraps(original)(make(original))
    setattr(wrapper, _MARK, original)
    setattr(owner, name, wrapper)


def _lora(original: Callable) -> Callable:
    def load_lora_weights(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        if not hasattr(self, "unet"):  # aMUSEd, whose transformer is none of our models
            return original(self, pretrained_model_name_or_path_or_dict, *args, **options)
        from .lora import load_lora_weights as load

        return load(self, pretrained_model_name_or_path_or_dict, *args, **options)

    return load_lora_weights


def _ip_adapter(original: Callable) -> Callable:
    def load_ip_adapter(self: Any, pretrained_model_name_or_path_or_dict: Any, *args: Any, **options: Any) -> None:
        from .ip_adapter import load_ip_adapter as load

        return load(original, self, pretrained_model_name_or_path_or_dict, *args, **options)

    return load_ip_adapter
