"""Handle code that users of diffusers on torch write by habit: an error says what to write with mindone instead.

Where the meaning is clear, the code works: the tuple that a pipeline returns has the attribute ``images``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, warn_user
from ..schedulers.arguments import is_real

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline


def checked_to(to: Callable) -> Callable:
    """Wrap ``to`` of a pipeline or model: raise a UsageError if the caller passes a device."""

    @functools.wraps(to)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, str | int) or _of_torch(value) or "device" in kwargs:
                call = ", ".join([*map(repr, args), *(f"{name}={given!r}" for name, given in kwargs.items())])
                raise UsageError(
                    f"to({call}): MindSpore selects the device of a process, not of a model; leave it "
                    "out, or call ms.set_device('Ascend') before you load anything; to() takes a dtype, such as "
                    "ms.float16"
                )
        return to(self, *args, **kwargs)

    return checked


def _of_torch(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch"


def check(
    pipe: DiffusionPipeline, value: Callable[[str], Any], parameters: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Check the arguments of a call before any work starts.

    Args:
        pipe: the pipeline.
        value: a function from an argument's name to its value, or to its default if the caller did not pass it.
        parameters: the parameters of the call, by name.
        given: the arguments that the caller passed, by name.

    Raises:
        UsageError: if a generator is not a NumPy generator, or if the pipeline is in bfloat16 on a CPU.

    Warns:
        UsageWarning: if the default strength leaves one step of several.
    """
    _generator(value("generator"))
    _bfloat16(pipe)
    _single_step(value, parameters, given)


def _generator(generator: Any) -> None:
    for stream in generator if isinstance(generator, list | tuple) else [generator]:
        if stream is not None and not hasattr(stream, "standard_normal"):
            kind = type(stream)
            name = f"a {kind.__module__.partition('.')[0]}.{kind.__name__}" if _of_torch(stream) else repr(stream)
            raise UsageError(
                f"generator is {name}; expected a NumPy generator: use np.random.Generator(np.random.PCG64(seed)), or "
                "mindone_tcd.random.generator(seed)"
            )


def _bfloat16(pipe: Any) -> None:
    import mindspore as ms

    from .. import cpu

    if not cpu.needed():
        return
    for name, part in getattr(pipe, "components", {}).items():
        if getattr(part, "dtype", None) == ms.bfloat16:
            raise UsageError(
                f"the {name} is in bfloat16, which does not run on a CPU; load it with mindspore_dtype=ms.float32, or "
                "call to(ms.float32)"
            )


def _single_step(value: Callable[[str], Any], parameters: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    # Pipelines with original_inference_steps run all steps at any strength.
    if "strength" not in parameters or "strength" in given or "original_inference_steps" in parameters:
        return
    steps, strength = value("num_inference_steps"), value("strength")
    partial = is_real(strength) and isinstance(steps, int) and value("timesteps") is None
    if partial and value("denoising_start") is None and steps > 1 and int(steps * strength) == 1:
        warn_user(
            f"the default strength {strength:g} leaves 1 of {steps} steps; pass strength=0.75 or so, or "
            f"num_inference_steps={-(-steps // strength):g} for {steps} steps"
        )


class Output(tuple):
    """The tuple that a pipeline returns; its first entry is also an attribute, with the name that diffusers uses.

    ``output[0]`` and ``output.images`` are the same object.
    """

    _first = "images"

    def __getattr__(self, name: str) -> Any:
        if name == self._first:
            return self[0]
        raise AttributeError(
            f"the pipeline's output has no attribute {name!r}; its {self._first} are output[0] and "
            f"output.{self._first}, and with return_dict=True every entry has a name"
        )

    def __reduce__(self) -> tuple:
        return type(self), (tuple(self),)


class Frames(Output):
    """The output of an animation pipeline: ``output[0]`` and ``output.frames`` are the same object."""

    _first = "frames"


def named_output(pipe: DiffusionPipeline, result: Any) -> Any:
    """Convert the plain tuple that a pipeline returns to an :class:`Output`; return other results unchanged.

    Args:
        pipe: the pipeline; an AnimateDiff pipeline returns :class:`Frames`.
        result: the value that its ``__call__`` returned.
    """
    if type(result) is not tuple:
        return result
    return (Frames if "AnimateDiff" in type(pipe).__name__ else Output)(result)
