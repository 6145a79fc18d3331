"""Patches for the calls of pipeline classes, which are found while the program runs."""

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
"""Methods of pipelines beside the call that compute, or change or read weights. Our own loaders take the lock
themselves."""


def watching(original: Callable) -> Callable:
    """``DiffusionPipeline.__init__`` that calls :func:`watch` for the class of each new pipeline.

    A class is not watched from its definition on: its module may not have run to its end then.
    """

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        watch(type(self))
        original(self, *args, **kwargs)

    return __init__


def watch(cls: type) -> None:
    """Check the calls of a pipeline class and its parents, and let one thread at a time compute in them."""
    from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from . import ENGINE as engine

    for parent in cls.__mro__:
        own = vars(parent)
        if issubclass(parent, DiffusionPipeline) and "__call__" in own:
            engine.extend(parent, "__call__", "checked calls")
        for name in _COMPUTING & own.keys():
            if inspect.isfunction(own[name]):
                engine.extend(parent, name, "one thread at a time")
