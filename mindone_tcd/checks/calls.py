"""Check the arguments of a call of a mindone pipeline, and complete them, before any work starts.

mindone's pipelines pass their own default eta of 0 to the scheduler, silently ignore arguments that the scheduler does
not take, and detect that no step is left only after they encode the prompt. This module checks the arguments before
any work starts. For a scheduler of another package, it checks only what is an error with every scheduler.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..adapters.records import acting_loras
from ..compiled import pipeline as compiled
from ..concurrency import one_at_a_time
from ..errors import UsageError, warn_user
from ..schedulers.arguments import is_real
from ..schedulers.base import FewStepScheduler
from ..schedulers.methods import METHODS, find_method
from . import common_mistakes

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline

_DEPRECATED = {"callback", "callback_steps"}
"""Arguments that mindone's pipelines accept in addition to their signature; they silently ignore other names."""


def checked(original: Callable) -> Callable:
    """Wrap a pipeline's ``__call__``: run :func:`check` first, and add the arguments that it returns."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        with one_at_a_time:
            if hasattr(getattr(self, "scheduler", None), "step"):
                try:
                    bound = signature.bind(self, *args, **kwargs)
                except TypeError:
                    return original(self, *args, **kwargs)  # Python's message names the argument
                # The product of a NumPy number and a tensor is an array, not a tensor.
                plain = {name: value.item() for name, value in bound.arguments.items() if isinstance(value, np.number)}
                bound.arguments.update(plain)
                bound.arguments.update(check(self, signature.parameters, bound.arguments))
                with compiled.running(self, bound.arguments):
                    return common_mistakes.named_output(self, original(*bound.args, **bound.kwargs))
            return original(self, *args, **kwargs)

    return __call__


def check(
    pipe: DiffusionPipeline, parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the arguments of a call before any work starts.

    Args:
        pipe: the pipeline.
        parameters: the parameters of its ``__call__``, by name.
        given: the arguments that the caller passed, by name.

    Returns:
        The arguments to add: the scheduler's default ``eta``, if the caller passed none.

    Raises:
        UsageError: for the mistakes that :mod:`~mindone_tcd.checks.common_mistakes` checks, an eta that the scheduler
            does not take, an IP-Adapter without an image, an image without an IP-Adapter, and more frames than the
            motion adapter supports. With one of our schedulers, also for an argument that the pipeline would ignore,
            an eta outside [0, 1], and a number of steps, timesteps or a strength that leaves no step or that the
            scheduler rejects.

    Warns:
        UsageWarning: for a LoRA that was distilled for another scheduler. With one of our schedulers, also for a
            negative prompt that has no effect.
    """

    def value(name: str) -> Any:
        if name in given:
            return given[name]
        return parameters[name].default if name in parameters else None

    common_mistakes.check(pipe, value, parameters, given)
    ours = isinstance(pipe.scheduler, FewStepScheduler)
    dropped = set(given.get("kwargs", {})) - _DEPRECATED if "kwargs" in parameters else set()
    _names(pipe, parameters, dropped if ours else dropped & {"eta"})
    added = _eta(pipe.scheduler, ours, parameters, given)
    if ours:
        _steps(pipe.scheduler, value, parameters)
    if "ip_adapter_image" in parameters and getattr(pipe, "unet", None) is not None:
        _ip_adapter(pipe, value("ip_adapter_image"), value("ip_adapter_image_embeds"))
    _frames(pipe, value("num_frames"))
    if ours:
        _guidance(pipe, value)
    _lora(pipe)
    return added


def _names(pipe: Any, parameters: Mapping[str, Any], dropped: set[str]) -> None:
    if dropped:
        name = min(dropped)
        near = difflib.get_close_matches(name, parameters, 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{type(pipe).__name__} has no argument {name!r} and would ignore it{hint}")


def _eta(scheduler: Any, ours: bool, parameters: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, float]:
    own = inspect.signature(scheduler.step).parameters.get("eta")
    eta = given.get("eta")
    if own is None:
        # 0 is the pipelines' default, which callers may repeat. Our LCM scheduler rejects it too: LCM is TCD at eta 1.
        if eta is not None and (ours or eta != 0):
            name = type(scheduler).__name__
            fit = " or ".join(method.scheduler_name for method in METHODS.values() if method.eta is not None)
            raise UsageError(f"eta is {eta!r}, but {name} has no eta; leave it out, or use {fit}")
        return {}
    if not ours:
        return {}
    if eta is None:
        return {"eta": own.default} if "eta" in parameters and "eta" not in given else {}
    if not is_real(eta) or not 0 <= eta <= 1:
        raise UsageError(f"eta is {eta!r}; expected a number from 0 (no fresh noise) to 1 (as LCM)")
    return {}


def _steps(scheduler: Any, value: Callable[[str], Any], parameters: Mapping[str, Any]) -> None:
    steps, timesteps, strength = value("num_inference_steps"), value("timesteps"), value("strength")
    start = value("denoising_start")
    partial = "strength" in parameters and start is None
    if partial and (not is_real(strength) or not 0 < strength <= 1):
        raise UsageError(f"strength is {strength!r}; expected a number above 0 and at most 1")
    # Pipelines with original_inference_steps let the scheduler apply the strength; others shorten its timesteps.
    own = "original_inference_steps" in parameters
    options = {"original_inference_steps": value("original_inference_steps")} if own else {}
    if own and partial:
        options["strength"] = strength
    probe = copy.copy(scheduler)
    try:
        probe.set_timesteps(None if timesteps is not None else steps, timesteps=timesteps, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    left, count = probe.timesteps_list, len(probe.timesteps_list)
    if partial and not own:
        if int(count * strength) < 1:
            raise UsageError(
                f"strength {strength:g} of {count} steps leaves no step to take; "
                f"use at least {math.ceil(1 / strength)} steps, or a strength of at least {1 / count:.2g}"
            )
        left = left[-int(count * strength) :]
    _part(left, start, value("denoising_end"), len(scheduler))


def _part(left: list[int], start: float | None, end: Any, most: int) -> None:
    """Check that a step is left between ``denoising_start`` and ``denoising_end``, as shares of ``most`` timesteps.

    Raises:
        UsageError: if no step is left, or if ``denoising_start`` is not a float between 0 and 1.
    """
    if start is not None:
        if not isinstance(start, float) or not 0 < start < 1:
            raise UsageError(f"denoising_start is {start!r}; expected None, or a float above 0 and below 1")
        after = [t for t in left if t < round(most - start * most)]
        if not after:
            latest = 1 - (left[-1] + 1) / most
            remedy = f"use a denoising_start of at most {latest:g}" if latest > 0 else "use more steps"
            raise UsageError(f"denoising_start {start:g} of {len(left)} steps leaves no step to take; {remedy}")
        left = after
    if isinstance(end, float) and 0 < end < 1 and left[0] < round(most - end * most):
        raise UsageError(
            f"denoising_end {end:g} leaves no step to take; use a denoising_end of at least {1 - left[0] / most:g}"
        )


def _ip_adapter(pipe: Any, image: Any, embeds: Any) -> None:
    projections = getattr(getattr(pipe.unet, "encoder_hid_proj", None), "image_projection_layers", None)
    given = {"ip_adapter_image": image, "ip_adapter_image_embeds": embeds}
    name, entries = next(((name, entries) for name, entries in given.items() if entries is not None), (None, None))
    if projections is None:
        if name is not None:
            raise UsageError(f"{name} is given, but no IP-Adapter is loaded; load one first, or leave it out")
        return
    if name is None:
        raise UsageError(
            "an IP-Adapter is loaded, but neither ip_adapter_image nor ip_adapter_image_embeds is given; "
            "give one of them, or call unload_ip_adapter"
        )
    count = len(entries) if isinstance(entries, list) else 1
    if count != len(projections):
        raise UsageError(
            f"{name} has {count} entries, but {len(projections)} IP-Adapters are loaded; give a list with one entry "
            "for each IP-Adapter, where an entry for several images is a list of images"
        )
    if image is not None and getattr(pipe, "image_encoder", None) is None:
        raise UsageError(
            "ip_adapter_image is given, but the pipeline has no image encoder for it; load the IP-Adapter with an "
            "image_encoder_folder, or give ip_adapter_image_embeds"
        )


def _frames(pipe: Any, frames: Any) -> None:
    most = _unet_config(pipe).get("motion_max_seq_length")
    if most is None or not isinstance(frames, int) or frames <= most or getattr(pipe, "free_noise_enabled", False):
        return
    raise UsageError(f"num_frames is {frames}, but the motion adapter supports at most {most}; use fewer frames")


def _guidance(pipe: Any, value: Callable[[str], Any]) -> None:
    texts = (value("negative_prompt"), value("negative_prompt_2"))
    negative = any(any(text) if isinstance(text, list | tuple) else text for text in texts)
    scale = value("guidance_scale")
    if not (negative or value("negative_prompt_embeds") is not None) or not is_real(scale):
        return
    if _unet_config(pipe).get("time_cond_proj_dim") is not None:
        warn_user(
            "the negative prompt has no effect: this UNet takes the guidance scale as an input, not by a second pass"
        )
    elif scale <= 1:
        warn_user(f"the negative prompt has no effect at guidance_scale {scale:g}; it needs a scale above 1")


def _lora(pipe: Any) -> None:
    own = {cls.__name__ for cls in type(pipe.scheduler).__mro__}
    for lora in acting_loras(pipe, {method.name for method in METHODS.values() if method.scheduler_name not in own}):
        method = find_method(lora.distillation)
        right = method.scheduler_name
        warn_user(
            f"the LoRA {lora.name!r} was distilled for {method.name.upper()}, but the scheduler is "
            f"{type(pipe.scheduler).__name__}; use pipe.scheduler = {right}.from_config(pipe.scheduler.config), "
            f"or load the pipeline with the method {method.name}"
        )


def _unet_config(pipe: Any) -> Mapping[str, Any]:
    return getattr(getattr(pipe, "unet", None), "config", {})
