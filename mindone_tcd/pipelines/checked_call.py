"""What is checked, completed and warned of when a mindone pipeline is called with one of our schedulers.

mindone's pipelines hand their own default eta of 0 to the scheduler, drop what a scheduler has no use for without a
word, and find out that there is no step left to take only after the prompt is encoded. Here all of it is looked at
before any work starts. A pipeline with another scheduler is left alone.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..adapters import loaded_loras
from ..errors import UsageError
from ..schedulers import LCMScheduler, TCDScheduler

_CHECKED = "_mindone_tcd_checked"

_DEPRECATED = {"callback", "callback_steps"}
"""What mindone's pipelines still take beyond their signature; they drop any other name without a word."""


def install(base: type) -> None:
    """Check the calls of every pipeline class under ``base``, from the first instance on.

    Not from its definition on: by then some of mindone's defects in it are still to be mended.
    """
    begin = base.__init__
    if hasattr(begin, _CHECKED):
        return

    @functools.wraps(begin)
    def checked_from_now_on(self: Any, *args: Any, **kwargs: Any) -> None:
        for cls in type(self).__mro__:
            if issubclass(cls, base):
                _wrap(cls)
        begin(self, *args, **kwargs)

    setattr(checked_from_now_on, _CHECKED, True)
    base.__init__ = checked_from_now_on


def _wrap(cls: type) -> None:
    call = vars(cls).get("__call__")
    if call is None or hasattr(call, _CHECKED):
        return
    signature = inspect.signature(call)

    @functools.wraps(call)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(getattr(self, "scheduler", None), TCDScheduler | LCMScheduler):
            try:
                bound = signature.bind(self, *args, **kwargs)
            except TypeError:
                return call(self, *args, **kwargs)  # Python's own message names the argument
            kwargs |= check(self, signature.parameters, bound.arguments)
        return call(self, *args, **kwargs)

    setattr(checked, _CHECKED, True)
    cls.__call__ = checked


def check(pipe: Any, parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a call before it starts.

    Args:
        pipe: the pipeline.
        parameters: of its ``__call__``, by name.
        given: what the caller passed, by name.

    Returns:
        The arguments to add: ``eta``, where the caller left it to the scheduler.

    Raises:
        UsageError: for a name that the pipeline would drop, an eta that the scheduler has no use for or that lies
            outside [0, 1], and for numbers of steps, timesteps and strengths that leave no step or do not fit the
            scheduler's grid.

    Warns:
        UserWarning: for a negative prompt that has no effect, and a LoRA that was distilled for the other scheduler.
    """

    def value(name: str) -> Any:
        if name in given:
            return given[name]
        return parameters[name].default if name in parameters else None

    _names(pipe, parameters, given)
    added = _eta(pipe.scheduler, parameters, given)
    _steps(pipe.scheduler, value, parameters)
    _guidance(pipe, value)
    _lora(pipe)
    return added


def _names(pipe: Any, parameters: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name in set(given.get("kwargs", {})) - _DEPRECATED if "kwargs" in parameters else ():
        near = difflib.get_close_matches(name, parameters, 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{type(pipe).__name__} has no argument {name!r} and would ignore it{hint}")


def _eta(scheduler: Any, parameters: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, float]:
    own = inspect.signature(scheduler.step).parameters.get("eta")
    eta = given.get("eta")
    if own is None:
        if eta is not None:
            name = type(scheduler).__name__
            raise UsageError(f"eta is {eta!r}, but {name} has no eta; leave it out, or use TCDScheduler")
        return {}
    if eta is None:
        return {"eta": own.default} if "eta" in parameters and "eta" not in given else {}
    if isinstance(eta, bool) or not isinstance(eta, int | float) or not 0 <= eta <= 1:
        raise UsageError(f"eta is {eta!r}; expected a number from 0 (no fresh noise) to 1 (as LCM)")
    return {}


def _steps(scheduler: Any, value: Callable[[str], Any], parameters: Mapping[str, Any]) -> None:
    steps, timesteps, strength = value("num_inference_steps"), value("timesteps"), value("strength")
    partial = "strength" in parameters and value("denoising_start") is None
    if partial and (not isinstance(strength, int | float) or not 0 < strength <= 1):
        raise UsageError(f"strength is {strength!r}; expected a number above 0, and 1 at the most")
    # Pipelines that know original_inference_steps let the scheduler apply the strength; others cut its timesteps.
    own = "original_inference_steps" in parameters
    options = {"original_inference_steps": value("original_inference_steps")} if own else {}
    if own and partial:
        options["strength"] = strength
    probe = copy.copy(scheduler)
    try:
        probe.set_timesteps(None if timesteps is not None else steps, timesteps=timesteps, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    count = len(probe.timesteps_list)
    if partial and not own and int(count * strength) < 1:
        raise UsageError(
            f"strength {strength:g} of {count} steps leaves no step to take; "
            f"use at least {math.ceil(1 / strength)} steps, or a strength of at least {1 / count:.2g}"
        )


def _guidance(pipe: Any, value: Callable[[str], Any]) -> None:
    negative = value("negative_prompt") or value("negative_prompt_embeds") is not None
    scale = value("guidance_scale")
    if not negative or not isinstance(scale, int | float):
        return
    embedded = getattr(getattr(pipe, "unet", None), "config", {}).get("time_cond_proj_dim") is not None
    if embedded:
        _warn("the negative prompt has no effect: this UNet takes the guidance scale as an input, not by a second pass")
    elif scale <= 1:
        _warn(f"the negative prompt has no effect at guidance_scale {scale:g}; it needs a scale above 1")


def _lora(pipe: Any) -> None:
    own = "tcd" if isinstance(pipe.scheduler, TCDScheduler) else "lcm"
    for name, method in distilled_adapters(pipe).items():
        if method != own:
            right = "TCDScheduler" if method == "tcd" else "LCMScheduler"
            _warn(
                f"the LoRA {name!r} was distilled for {method.upper()}, but the scheduler is "
                f"{type(pipe.scheduler).__name__}; use pipe.scheduler = {right}.from_config(pipe.scheduler.config), "
                f"or load the pipeline with the method {method}"
            )


def distilled_adapters(pipe: Any) -> dict[str, str]:
    """The LoRAs in use that were distilled for a scheduler: adapter name -> ``tcd`` or ``lcm``."""
    told = {name: lora.distillation for name, lora in loaded_loras(pipe).items() if lora.distillation}
    if not told:
        return {}
    from mindone.peft.tuners.tuners_utils import BaseTunerLayer

    layer = next((cell for _, cell in pipe.unet.cells_and_names() if isinstance(cell, BaseTunerLayer)), None)
    if layer is None or layer.disable_adapters:
        return {}
    return {name: method for name, method in told.items() if name in layer.active_adapters}


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=6)
