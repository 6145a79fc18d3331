"""Run all steps of a text-to-image pipeline in one call: UNet, guidance and scheduler step in one graph.

mindone's denoising loop does not change and runs once. Its UNet call is recorded instead of computed, and its one
scheduler step then runs all steps. The noise of all steps is generated before the first step, in the scheduler's order,
so the values are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np

from ..random import standard_normal
from ..schedulers.methods import method_of
from .graph import Part, call_text

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline

    from ..schedulers.base import FewStepScheduler

PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "LatentConsistencyModelPipeline")
"""Between UNet calls, the loops of these pipelines only apply guidance and the scheduler step."""

CALLBACKS = ("callback", "callback_on_step_end")

_PER_STEP = (*CALLBACKS, "guidance_rescale", "denoising_end", "sigmas")
"""Call arguments that run code between two steps or shorten the loop."""


def fits(pipe: DiffusionPipeline, given: Mapping[str, Any]) -> bool:
    """Return whether a call with these arguments, by name, can run as one trajectory."""
    return (
        type(pipe).__name__ in PIPELINES
        and method_of(pipe.scheduler) is not None
        and pipe.scheduler.affine
        and pipe.scheduler.observer is None
        and not asked_for(_PER_STEP, given)
        and pipe.unet.config.in_channels == pipe.unet.config.out_channels
    )


def asked_for(names: Sequence[str], given: Mapping[str, Any]) -> bool:
    """Return whether a call with these arguments, by name, sets any of the named ones."""
    given = {**given, **given.get("kwargs", {})}
    return any(given.get(name) for name in names)


@contextmanager
def in_one_call(pipe: DiffusionPipeline, unet: Part, whole: bool) -> Iterator[None]:
    """Run all steps of the pipeline's loop at once within this context.

    Args:
        pipe: a pipeline for which `fits` is true.
        unet: its UNet.
        whole: whether one graph contains all steps, instead of one graph that runs once per step.
    """
    scheduler, bar = pipe.scheduler, pipe.progress_bar
    steps = _Steps(scheduler, pipe, unet, whole)
    # setattr would write the wrapper's class into the pipeline's configuration.
    vars(pipe)["scheduler"] = steps
    vars(pipe)["progress_bar"] = lambda iterable=None, total=None: bar(iterable, 1 if iterable is None else None)
    unet.capture = steps.calls
    try:
        yield
    finally:
        unet.capture = None
        vars(pipe)["scheduler"] = scheduler
        del vars(pipe)["progress_bar"]
        pipe._num_timesteps = steps.count


class _Steps:
    """A scheduler wrapper that exposes one timestep and runs all steps in it.

    Attributes:
        count: the number of steps that were run.
        calls: the arguments of the UNet's recorded call.
    """

    def __init__(self, scheduler: FewStepScheduler, pipe: DiffusionPipeline, unet: Part, whole: bool) -> None:
        self._scheduler, self._pipe, self._unet, self._whole = scheduler, pipe, unet, whole
        self.count = 0
        self.calls: list[tuple[tuple, dict]] = []

        @functools.wraps(scheduler.step)  # the pipelines inspect its signature to find out whether it has an eta
        def step(*args: Any, **kwargs: Any) -> tuple[ms.Tensor, ms.Tensor]:
            return self._all_steps(*args, **kwargs)

        self.step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    @property
    def timesteps(self) -> ms.Tensor:
        return self._scheduler.timesteps[:1]

    def _all_steps(
        self, model_output: Any, timestep: Any, sample: ms.Tensor, *, generator: Any = None, **options: Any
    ) -> tuple[ms.Tensor, ms.Tensor]:
        eta = {"eta": options["eta"]} if "eta" in options else {}
        table = self._scheduler.coefficients(**eta)
        # A step without noise adds zeros. Otherwise it would need another graph.
        noises = [standard_normal(sample.shape, generator) if c else np.zeros(sample.shape) for *_, c in table]
        ((args, kwargs),) = self.calls
        sample = self._denoise(sample, table, noises, args, kwargs)
        self.count = len(table)
        return sample, sample

    def _denoise(
        self, sample: ms.Tensor, table: tuple, noises: list[np.ndarray], args: tuple, kwargs: dict
    ) -> ms.Tensor:
        guided = args[0].shape[0] == 2 * sample.shape[0]
        conditions: list[ms.Tensor] = []
        rest = call_text(args[2:], kwargs, conditions)

        def step(t: str, row: str, z: str) -> list[str]:
            lines = [f"m = self.part({'mint.cat((x, x))' if guided else 'x'}, {t}, {rest})[0]"]
            if guided:
                lines += ["u, c = mint.chunk(m, 2)", "m = u + scale * (c - u)"]
            return [*lines, f"x = affine_step(x, m, {z}, {row})"]

        numbers = np.array(table, np.float32)
        timesteps = np.array(self._scheduler.timesteps_list, np.int64)
        common = [ms.Tensor(float(self._pipe.guidance_scale), sample.dtype), *conditions]
        names = ["x", "scale", *(f"x{k}" for k in range(len(conditions)))]
        if self._whole:
            lines: list[str] = []
            for k in range(len(table)):
                lines += step(f"t[{k}]", f"(r[{k}, 0], r[{k}, 1], r[{k}, 2])", f"z[{k}]")
            inputs = [sample, *common, ms.Tensor(timesteps), ms.Tensor(numbers), _float32(np.stack(noises))]
            return self._unet.run([*names, "t", "r", "z"], _body(lines), inputs)
        body = _body(step("t", "(r0, r1, r2)", "z"))
        for t, row, noise in zip(timesteps, numbers, noises, strict=True):
            inputs = [sample, *common, ms.Tensor(t), *(ms.Tensor(number) for number in row), _float32(noise)]
            sample = self._unet.run([*names, "t", "r0", "r1", "r2", "z"], body, inputs)
        return sample


def _float32(noise: np.ndarray) -> ms.Tensor:
    return ms.Tensor(noise.astype(np.float32))


def _body(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in [*lines, "return x"])
