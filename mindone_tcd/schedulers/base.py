"""The base class of the samplers: configuration, timesteps, the step, and adding noise."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import mindspore as ms
import numpy as np
from mindone.diffusers.configuration_utils import ConfigMixin
from mindone.diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput
from mindone.diffusers.utils import BaseOutput

from ..random import Generators, standard_normal
from .affine import blend, cast, times, working_dtype
from .arguments import fraction, integer
from .coefficients import StepCoefficients
from .forward_process import AnyTimesteps, mix, per_sample
from .methods import METHODS
from .noise_schedule import NoiseSchedule, make_betas
from .timesteps import check_count, custom, host_values, origin_grid, pick, tagged
from .trajectory import Trajectory

if TYPE_CHECKING:
    from typing_extensions import Self

    _Init = TypeVar("_Init", bound=Callable[..., None])

    def register_to_config(init: _Init) -> _Init:
        """mindone's decorator, which has no types, and would hide the arguments of the samplers."""
        return init
else:
    from mindone.diffusers.configuration_utils import register_to_config

logger = logging.getLogger(__name__)

_FLOATS = (ms.float32, ms.float16, ms.bfloat16, ms.float64)

COMPATIBLE = [
    "DDIMScheduler",
    "DDPMScheduler",
    "PNDMScheduler",
    "LMSDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DEISMultistepScheduler",
    "UniPCMultistepScheduler",
]
"""mindone's schedulers for the same kind of model. Each can be made from the configuration of any other, or of ours."""


class FewStepScheduler(SchedulerMixin, ConfigMixin):
    """Base class of the samplers whose step is a row of numbers, made on the host when the timesteps are set.

    A sampler implements `make_table`. `TCDScheduler` and `LCMScheduler` document the arguments.

    Attributes:
        schedule: the `NoiseSchedule`, float64.
        timesteps: the timesteps of the run, descending, as an int64 tensor; before `set_timesteps`, all of them.
        timesteps_list: the same as a list of int.
        num_inference_steps: number of steps; None before `set_timesteps`.
        custom_timesteps: whether the caller chose the timesteps.
        observer: called after each step with its index, which is 0 for the first step that is done, and the denoised
            sample; None for nobody. With an observer, compiled pipelines do not put the step into their graphs.
    """

    order = 1
    init_noise_sigma = 1.0
    num_inference_steps: int | None = None
    custom_timesteps: bool = False
    observer: Callable[[int, ms.Tensor], object] | None = None

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "scaled_linear",
        trained_betas: Sequence[float] | np.ndarray | None = None,
        original_inference_steps: int = 50,
        clip_sample: bool = False,
        clip_sample_range: float = 1.0,
        set_alpha_to_one: bool = True,
        steps_offset: int = 0,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        sample_max_value: float = 1.0,
        timestep_spacing: str = "leading",
        timestep_scaling: float = 10.0,
        rescale_betas_zero_snr: bool = False,
    ) -> None:
        count = integer(num_train_timesteps, "num_train_timesteps", least=1)
        betas = make_betas(count, beta_start, beta_end, beta_schedule, trained_betas, rescale_betas_zero_snr)
        self.schedule = NoiseSchedule.from_betas(betas, prediction_type)
        self._check_options()
        self._forward_tables = tuple(
            ms.Tensor(part.astype(np.float32)) for part in self.schedule.signal_and_sigma(np.arange(count))
        )
        self.betas = ms.Tensor(betas)
        self.alphas = ms.Tensor(np.float32(1) - betas)
        self.alphas_cumprod = ms.Tensor(self.schedule.alphas_cumprod.astype(np.float32))
        last = 1.0 if set_alpha_to_one else float(self.schedule.alphas_cumprod[0])
        self.final_alpha_cumprod = ms.Tensor(last, ms.float32)
        # Pipelines read `__module__` of the object to write where a component is loaded from. It has to name the
        # library that can load a saved folder: `patches/schedulers.py` lets mindone find the class there.
        self.__module__ = "mindone.diffusers"
        self._follow(np.arange(count, dtype=np.int64)[::-1])

    @overload
    @classmethod
    def from_config(
        cls, config: dict[str, Any] | None = None, return_unused_kwargs: Literal[False] = False, **kwargs: Any
    ) -> Self: ...

    @overload
    @classmethod
    def from_config(
        cls, config: dict[str, Any] | None = None, *, return_unused_kwargs: Literal[True], **kwargs: Any
    ) -> tuple[Self, dict[str, Any]]: ...

    @classmethod
    def from_config(
        cls, config: dict[str, Any] | None = None, return_unused_kwargs: bool = False, **kwargs: Any
    ) -> Self | tuple[Self, dict[str, Any]]:
        """Make the scheduler from the configuration of any diffusers or mindone scheduler, as `ConfigMixin` does.

        Raises:
            ValueError: if the configuration is that of a flow-matching or EDM scheduler. Their models have no ᾱ.
        """
        origin = _other_kind(config) if isinstance(config, dict) else None
        if origin is not None:
            raise ValueError(
                f"the configuration is of {origin}, whose models are not trained on a schedule of betas; "
                f"{cls.__name__} needs a model of the Stable Diffusion 1, 2 or XL kind"
            )
        return super().from_config(config, return_unused_kwargs=return_unused_kwargs, **kwargs)

    @classmethod
    def _get_compatibles(cls) -> list[type]:
        import mindone.diffusers

        names = dict.fromkeys([*(method.scheduler_name for method in METHODS.values()), *COMPATIBLE])
        found = (getattr(mindone.diffusers, name, None) for name in names if name != cls.__name__)
        return [cls, *(other for other in found if other is not None)]

    def _check_options(self) -> None:
        # Nearly every Stable Diffusion folder has `leading` and an offset of 0 or 1, so these cause no warning.
        if self.config.timestep_spacing != "leading":
            self._warn("timestep_spacing", self.config.timestep_spacing, "original_inference_steps or timesteps=[…]")
        if self.config.steps_offset not in (0, 1):
            self._warn("steps_offset", self.config.steps_offset, "timesteps=[…]")

    def _warn(self, option: str, value: object, remedy: str) -> None:
        _warn_once(type(self).__name__, option, repr(value), remedy)

    def __len__(self) -> int:
        return self.config.num_train_timesteps

    # ----- the table ------------------------------------------------------------------------------------------------

    def make_table(self) -> list[StepCoefficients]:
        """Return one row for each of `timesteps_list`; each sampler implements it.

        Called by `set_timesteps`. Rows that are not finite raise an error only when a step uses them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no make_table")

    def coefficients(self) -> tuple[tuple[float, float, float], ...]:
        """Return (A, B, C) of each step from the begin index on, for `affine_step`.

        Steps that draw no noise have C = 0.

        Raises:
            ValueError: before `set_timesteps`, or if a step is not finite.
        """
        self._need_timesteps()
        return self._affine_rows(self._table)

    @property
    def affine(self) -> bool:
        """Whether `coefficients` describe the step: whether it is A·x + B·m + C·z."""
        return True

    def _affine_rows(self, table: Sequence[StepCoefficients]) -> tuple[tuple[float, float, float], ...]:
        return tuple(self._row(table, index).affine for index in range(self.begin_index or 0, len(table)))

    def _row(self, table: Sequence[StepCoefficients], index: int) -> StepCoefficients:
        row = table[index]
        if not np.isfinite(row.a + row.b):
            timestep = self.timesteps_list[index]
            raise ValueError(
                f"prediction_type='{self.config.prediction_type}' has no finite step at timestep "
                f"{timestep}, where ᾱ is {self.schedule.alphas_cumprod[timestep]:g}; for a "
                "zero-terminal-SNR schedule use a v_prediction or sample model, or timesteps=[…] that start later"
            )
        return row

    # ----- the step -------------------------------------------------------------------------------------------------

    def step(
        self,
        model_output: ms.Tensor,
        timestep: int | ms.Tensor,
        sample: ms.Tensor,
        generator: Generators = None,
        return_dict: bool = False,
        *,
        noise: np.ndarray | None = None,
    ) -> BaseOutput | tuple[ms.Tensor, ms.Tensor]:
        """Step from x_t to the sample at the next timestep.

        A step takes five device operations, or three if it adds no noise. Half precisions add four casts. The host
        does not wait for the device if `timestep` is a number, comes from `scheduler.timesteps`, or follows
        `set_begin_index`, which fixes the order of the steps. Any other tensor is read from the device. Inside
        `ms.jit`, use `affine_step` with `coefficients()`.

        Args:
            model_output: shape (batch, …), the model's output at `timestep`.
            timestep: one of `scheduler.timesteps`.
            sample: x_t, the same shape as `model_output`.
            generator: one NumPy generator, or one for each image. A step that adds no noise does not use it.
            return_dict: whether to return an output object instead of a tuple.
            noise: standard normals to use instead of the generator's, a float array of the shape of `sample`.

        Returns:
            (x_next, denoised), or the output object; both in the sample's dtype. For LCM, the object is an
            `LCMSchedulerOutput` with `prev_sample` and `denoised`.

        Raises:
            ValueError: before `set_timesteps`; for a timestep that is not in the trajectory, shapes that differ, a
                list of generators that does not fit the batch, or a step that is not finite.
            TypeError: if `model_output`, `sample`, `noise` or a generator is of another type.
        """
        self._need_timesteps()
        return self._step(self._table, model_output, timestep, sample, generator, return_dict, noise)

    def _step(
        self,
        table: Sequence[StepCoefficients],
        model_output: ms.Tensor,
        timestep: int | ms.Tensor,
        sample: ms.Tensor,
        generator: Generators,
        return_dict: bool,
        noise: np.ndarray | None,
    ) -> BaseOutput | tuple[ms.Tensor, ms.Tensor]:
        """denoised = a·x + b·m, x_next = r·denoised + c·z, with the row that `table` has for `timestep`."""
        index = self._trajectory.locate(timestep)
        row = self._row(table, index)
        _check_tensors(model_output, sample)
        work = working_dtype(sample)
        denoised = self._denoise(row, self.timesteps_list[index], cast(sample, work), cast(model_output, work))
        if row.c is None:
            x_next = denoised = cast(denoised, sample.dtype)
        else:
            z = standard_normal(sample.shape, generator) if noise is None else _host_noise(noise, sample.shape)
            # c·z is computed on the host, where z is: that saves one device operation.
            scaled = np.empty(z.shape, np.float64 if work == ms.float64 else np.float32)
            np.multiply(z, row.c, out=scaled, dtype=np.float64, casting="same_kind")
            x_next = cast(times(denoised, row.r) + ms.Tensor.from_numpy(scaled), sample.dtype)
            denoised = cast(denoised, sample.dtype)
        self._trajectory.step_index = index + 1
        if self.observer is not None:
            self.observer(index - (self.begin_index or 0), denoised)
        return self._output(x_next, denoised) if return_dict else (x_next, denoised)

    def _output(self, x_next: ms.Tensor, denoised: ms.Tensor) -> BaseOutput:
        return SchedulerOutput(prev_sample=x_next)

    def _denoise(self, row: StepCoefficients, timestep: int, x: ms.Tensor, m: ms.Tensor) -> ms.Tensor:
        return blend(row.a, x, row.b, m)

    def scale_model_input(self, sample: ms.Tensor, timestep: int | ms.Tensor | None = None) -> ms.Tensor:
        """Return `sample` unchanged: these samplers need no scaling."""
        return sample

    # ----- the timesteps --------------------------------------------------------------------------------------------

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        *,
        original_inference_steps: int | None = None,
        timesteps: Sequence[int] | np.ndarray | ms.Tensor | None = None,
        strength: float = 1.0,
    ) -> None:
        """Choose the timesteps, compute the table of coefficients, and return to the first step.

        Args:
            num_inference_steps: the number of steps. Give this or `timesteps`.
            original_inference_steps: the length of the distillation's grid, if it differs from the configuration's.
                Pass it by name: the second position is a device in diffusers and this number in mindone.
            timesteps: strictly descending training timesteps to use instead of the grid.
            strength: in (0, 1]. Image-to-image starts at this fraction of the grid. mindone's SDXL pipelines leave it
                at 1 and use `set_begin_index`.

        Raises:
            ValueError: if the arguments are wrong or do not fit together. The message says what to change.
        """
        if (num_inference_steps is None) == (timesteps is None):
            raise ValueError("give either num_inference_steps or timesteps to set_timesteps: exactly one of them")
        strength = fraction(strength, "strength", zero=False)
        if timesteps is not None:
            if isinstance(timesteps, ms.Tensor):
                timesteps = timesteps.asnumpy()
            chosen = custom(timesteps, strength, self._origin_grid(original_inference_steps, 1.0), len(self))
        else:
            steps = integer(num_inference_steps, "num_inference_steps", least=1)
            grid = self._origin_grid(original_inference_steps, strength)
            original = self._original_steps(original_inference_steps)
            check_count(steps, grid, original, strength, len(self))
            chosen = pick(grid, steps)
        self.custom_timesteps = timesteps is not None
        self.num_inference_steps = len(chosen)
        self._follow(chosen)
        self._table = self.make_table()

    def _follow(self, chosen: np.ndarray) -> None:
        self._trajectory = Trajectory(chosen)
        self.timesteps, self.timesteps_list = self._trajectory.timesteps, self._trajectory.values

    def _origin_grid(self, original_inference_steps: int | None, strength: float) -> np.ndarray:
        original = self._original_steps(original_inference_steps)
        return origin_grid(self.config.num_train_timesteps, original)[: int(original * strength)]

    def _original_steps(self, given: int | None) -> int:
        name = "original_inference_steps"
        original = integer(self.config[name] if given is None else given, name, least=1)
        if original > len(self):
            raise ValueError(f"{name} is {original}; expected at most num_train_timesteps={len(self)}")
        return original

    @property
    def step_index(self) -> int | None:
        """The index into `timesteps` of the next step; None before the first."""
        return self._trajectory.step_index

    @property
    def begin_index(self) -> int | None:
        """The index into `timesteps` of the first step, if `set_begin_index` set one."""
        return self._trajectory.begin_index

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Start at this index, and expect the steps in order from there.

        Raises:
            ValueError: if it is not an index into `timesteps`.
        """
        self._trajectory.begin_at(begin_index)

    def previous_timestep(self, timestep: int | ms.Tensor) -> int | ms.Tensor:
        """Return the timestep that follows in the trajectory, -1 after the last; a tensor for a tensor.

        Raises:
            ValueError: if `timestep` is not in the trajectory.
        """
        if isinstance(timestep, ms.Tensor):
            known = host_values(timestep)
            return tagged(self.previous_timestep(int((timestep.asnumpy() if known is None else known).item())))
        if self.num_inference_steps is None:
            return timestep - 1
        return [*self.timesteps_list, -1][self._trajectory.locate(timestep) + 1]

    def _need_timesteps(self) -> None:
        if self.num_inference_steps is None:
            raise ValueError("no timesteps yet: call set_timesteps(num_inference_steps) first")

    # ----- the forward process --------------------------------------------------------------------------------------

    def add_noise(self, original_samples: ms.Tensor, noise: ms.Tensor, timesteps: AnyTimesteps) -> ms.Tensor:
        """Return √ᾱ_t · original + √(1-ᾱ_t) · noise.

        Args:
            original_samples: shape (batch, …).
            noise: the same shape.
            timesteps: training timesteps, one for all (a number, shape () or (1,)) or one per image, (batch,).

        Returns:
            A tensor of the shape and dtype of `original_samples`, computed in float32.

        Raises:
            ValueError: if the number of timesteps is neither 1 nor `batch`, if the host knows a timestep that is out
                of range, or if the noise has another shape.
        """
        signal, sigma = per_sample(self._forward_tables, timesteps, original_samples)
        return mix(signal, original_samples, sigma, noise)

    def get_velocity(self, sample: ms.Tensor, noise: ms.Tensor, timesteps: AnyTimesteps) -> ms.Tensor:
        """Return v = √ᾱ_t · noise - √(1-ᾱ_t) · sample (arXiv 2202.00512); arguments and errors as in `add_noise`."""
        signal, sigma = per_sample(self._forward_tables, timesteps, sample)
        return mix(-sigma, sample, signal, noise)


def _other_kind(config: dict) -> str | None:
    """Return the scheduler of a configuration if it has no betas, else None.

    A configuration that was never saved has no class name, so its keys decide.
    """
    name = config.get("_class_name")
    if isinstance(name, str):
        return name if name.startswith("FlowMatch") or "EDM" in name else None
    if config.keys() & {"beta_start", "trained_betas"}:
        return None
    if config.keys() & {"shift", "base_shift"}:
        return "a flow-matching scheduler"
    return "an EDM scheduler" if "sigma_data" in config else None


def _check_tensors(model_output: ms.Tensor, sample: ms.Tensor) -> None:
    for name, tensor in (("model_output", model_output), ("sample", sample)):
        if not isinstance(tensor, ms.Tensor) or tensor.dtype not in _FLOATS:
            kind = (
                f"a tensor of {tensor.dtype}" if isinstance(tensor, ms.Tensor) else f"of type {type(tensor).__name__}"
            )
            raise TypeError(f"{name} is {kind}; expected a MindSpore tensor of floating-point numbers")
    if model_output.shape != sample.shape:
        raise ValueError(f"model_output has the shape {model_output.shape}, but sample has {sample.shape}")


def _host_noise(noise: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(noise, np.ndarray):
        raise TypeError(
            f"noise is of type {type(noise).__name__}; expected a NumPy array, such as standard_normal returns: step "
            "scales it on the host. For noise that is on the device already, use affine_step with "
            "scheduler.coefficients()"
        )
    if noise.shape != tuple(shape):
        raise ValueError(f"noise has the shape {noise.shape}, but sample has {tuple(shape)}")
    return noise


@functools.cache
def _warn_once(scheduler: str, option: str, value: str, remedy: str) -> None:
    logger.warning("%s does not use %s=%s and ignores it; you may want instead: %s.", scheduler, option, value, remedy)
