"""Patch the methods of pipeline classes, which are known only when the program creates a pipeline."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

_COMPUTING = {
    *("encode_prompt", "encode_image", "prepare_ip_adapter_image_embeds", "decode_latents", "upcast_vae", "to"),
    *("set_adapters", "enable_lora", "disable_lora", "delete_adapters", "fuse_lora", "unfuse_lora"),
    *("unload_lora_weights", "enable_lora_hotswap", "set_ip_adapter_scale", "unload_ip_adapter"),
    *("load_textual_inversion", "unload_textual_inversion", "save_pretrained"),
}
"""Methods of pipelines, other than ``__call__``, that compute, or that change or read weights. They need the lock. Our
loaders acquire it themselves."""


def patching_classes(original: Callable) -> Callable:
    """Wrap ``DiffusionPipeline.__init__``: call :func:`patch_class` for the class of each new pipeline.

    A class cannot be patched when it is defined, because its module may not be complete then.
    """

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        patch_class(type(self))
        original(self, *args, **kwargs)

    return __init__


def patch_class(cls: type) -> None:
    """Patch the methods of a pipeline class and its parents.

    ``__call__`` checks its arguments. Methods that compute, or that change or read weights, run in one thread at a
    time.
    """
    from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from . import ENGINE as engine

    for parent in cls.__mro__:
        own = vars(parent)
        if issubclass(parent, DiffusionPipeline) and "__call__" in own:
            engine.extend(parent, "__call__", "checked calls")
        for name in _COMPUTING & own.keys():
            if inspect.isfunction(own[name]):
                engine.extend(parent, name, "one thread at a time")
