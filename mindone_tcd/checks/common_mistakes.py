"""What users of diffusers on torch write by habit, and what mindone makes of it: an error that says what to write here.

Where what they mean is clear, it works: the tuple that a pipeline returns has its images as ``images``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..schedulers.arguments import is_real

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline


def checked_to(to: Callable) -> Callable:
    """``to`` of a pipeline or model that refuses devices."""

    @functools.wraps(to)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, str | int) or _of_torch(value) or "device" in kwargs:
                call = ", ".join([*map(repr, args), *(f"{name}={given!r}" for name, given in kwargs.items())])
                raise UsageError(
                    f"to({call}): MindSpore places a whole process, not a model; leave it out, or call "
                    "ms.set_device('Ascend') before anything is loaded; to() takes a dtype, such as ms.float16"
                )
        return to(self, *args, **kwargs)

    return checked


def _of_torch(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch"


def check(
    pipe: DiffusionPipeline, value: Callable[[str], Any], parameters: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Look at a call before it starts.

    Args:
        pipe: the pipeline.
        value: the value of an argument by name, its default where it is not given.
        parameters: of the call, by name.
        given: what the caller passed, by name.

    Raises:
        UsageError: for a generator that is none of NumPy's, and for a pipeline in bfloat16 on a CPU.

    Warns:
        UserWarning: if the default strength leaves a single step of several.
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
                f"generator is {name}; expected NumPy's: use np.random.Generator(np.random.PCG64(seed)), or "
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
    # Pipelines that know original_inference_steps take all steps, whatever the strength.
    if "strength" not in parameters or "strength" in given or "original_inference_steps" in parameters:
        return
    steps, strength = value("num_inference_steps"), value("strength")
    partial = is_real(strength) and isinstance(steps, int) and value("timesteps") is None
    if partial and value("denoising_start") is None and steps > 1 and int(steps * strength) == 1:
        warnings.warn(
            f"the default strength {strength:g} leaves 1 of {steps} steps; pass strength=0.75 or so, or "
            f"num_inference_steps={-(-steps // strength):g} for {steps} steps",
            stacklevel=5,  # past this function, `check`, the check of the call, and the wrapped call
        )


class Output(tuple):
    """What a pipeline returns: a tuple, of which the first entry has its name from diffusers as well.

    ``output[0]`` and ``output.images`` are the same. An animation's frames are ``output.frames``.
    """

    _first = "images"

    def __getattr__(self, name: str) -> Any:
        if name == self._first:
            return self[0]
        raise AttributeError(
            f"what the pipeline returns has no attribute {name!r}; its {self._first} are output[0] and "
            f"output.{self._first}, and with return_dict=True every entry has a name"
        )

    def __reduce__(self) -> tuple:
        return type(self), (tuple(self),)


class Frames(Output):
    """The output of a pipeline that makes animations."""

    _first = "frames"


def named(pipe: DiffusionPipeline, result: Any) -> Any:
    """The result of a call, with a name for its first entry if it is a plain tuple."""
    if type(result) is not tuple:
        return result
    return (Frames if "AnimateDiff" in type(pipe).__name__ else Output)(result)
