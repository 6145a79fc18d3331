"""What TCD and LCM share: the configuration, the timesteps, the place in the trajectory, and the step itself."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindone.diffusers.configuration_utils import ConfigMixin, register_to_config
from mindone.diffusers.schedulers.scheduling_utils import SchedulerMixin

from ..random import Generators, standard_normal
from .affine import blend, cast, times, working_dtype
from .forward_process import ForwardProcess
from .noise_schedule import PREDICTION_TYPES, cumulative_alphas, make_betas, rescale_zero_terminal_snr
from .timesteps import integer
from .trajectory import Trajectory

logger = logging.getLogger(__name__)

Row = tuple[float, float, float, float | None]

_FLOATS = (ms.float32, ms.float16, ms.bfloat16, ms.float64)

# Schedulers of the same kind of model: each builds from the configuration of any other.
COMPATIBLE = [
    "TCDScheduler",
    "LCMScheduler",
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


class FewStepScheduler(Trajectory, ForwardProcess, SchedulerMixin, ConfigMixin):
    """Base of `TCDScheduler` and `LCMScheduler`; they document the arguments."""

    order = 1
    init_noise_sigma = 1.0
    _compatibles = COMPATIBLE

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
        if prediction_type not in PREDICTION_TYPES:
            raise ValueError(f"prediction_type is {prediction_type!r}; expected one of {', '.join(PREDICTION_TYPES)}")
        self._check_options()
        betas = make_betas(count, beta_start, beta_end, beta_schedule, trained_betas)
        if rescale_betas_zero_snr:
            betas = rescale_zero_terminal_snr(betas)
        alphas_cumprod = cumulative_alphas(betas)
        self._tabulate_mixture(alphas_cumprod)
        self.betas = ms.Tensor(betas)
        self.alphas = ms.Tensor(np.float32(1) - betas)
        self.alphas_cumprod = ms.Tensor(alphas_cumprod)
        self.final_alpha_cumprod = ms.Tensor(1.0 if set_alpha_to_one else float(alphas_cumprod[0]), ms.float32)
        # Pipelines write down where a component can be loaded from by reading `__module__` of the object: it has to
        # name the library that a saved folder can be loaded with, where `register` puts the class.
        self.__module__ = "mindone.diffusers"

        self._follow(np.arange(count, dtype=np.int64)[::-1])

    @classmethod
    def from_config(cls, config: dict | None = None, return_unused_kwargs: bool = False, **kwargs):
        """Builds the scheduler from the configuration of any diffusers or mindone scheduler, as `ConfigMixin` does.

        Raises:
            ValueError: if the configuration is of a flow-matching or EDM scheduler, whose models have no ᾱ.
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

        found = (getattr(mindone.diffusers, name, None) for name in cls._compatibles if name != cls.__name__)
        return [cls, *(other for other in found if other is not None)]

    def _check_options(self) -> None:
        """`leading` and an offset of 0 or 1 stand in nearly every Stable Diffusion folder: no word about these."""
        if self.config.timestep_spacing != "leading":
            self._warn("timestep_spacing", self.config.timestep_spacing, "original_inference_steps or timesteps=[…]")
        if self.config.steps_offset not in (0, 1):
            self._warn("steps_offset", self.config.steps_offset, "timesteps=[…]")

    def _warn(self, option: str, value: object, remedy: str) -> None:
        _warn_once(type(self).__name__, option, repr(value), remedy)

    def _x0(self, timesteps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p, q) with x0 = p·x + q·m at each timestep."""
        signal, sigma = self._mixture(timesteps)
        if self.config.prediction_type == "epsilon":
            return 1 / signal, -sigma / signal
        if self.config.prediction_type == "v_prediction":
            return signal, -sigma
        return np.zeros_like(signal), np.ones_like(signal)

    def _epsilon(self, timesteps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p, q) with ε = p·x + q·m at each timestep."""
        signal, sigma = self._mixture(timesteps)
        if self.config.prediction_type == "epsilon":
            return np.zeros_like(signal), np.ones_like(signal)
        if self.config.prediction_type == "v_prediction":
            return sigma, signal
        return 1 / sigma, -signal / sigma

    def _mixture(self, timesteps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alphas_cumprod = self._alphas_cumprod[timesteps]
        return np.sqrt(alphas_cumprod), np.sqrt(1 - alphas_cumprod)

    def _checked(self, rows: Sequence[Row], index: int) -> Row:
        row = rows[index]
        if not np.isfinite(row[0] + row[1]):
            raise ValueError(
                f"prediction_type='{self.config.prediction_type}' has no finite step at timestep "
                f"{self.timesteps_list[index]}, where ᾱ is {self._alphas_cumprod[self.timesteps_list[index]]:g}; for a "
                "zero-terminal-SNR schedule use a v_prediction or sample model, or timesteps=[…] that start later"
            )
        return row

    def _coefficients(self, rows: Sequence[Row]) -> tuple[tuple[float, float, float], ...]:
        start = self._begin_index or 0
        checked = [self._checked(rows, index) for index in range(start, len(rows))]
        return tuple((r * a, r * b, c or 0.0) for a, b, r, c in checked)

    def _advance(
        self,
        index: int,
        row: Row,
        model_output: ms.Tensor,
        sample: ms.Tensor,
        generator: Generators,
        noise: np.ndarray | None,
    ) -> tuple[ms.Tensor, ms.Tensor]:
        """(x_next, denoised), with denoised = a·x + b·m and x_next = r·denoised + c·z."""
        for name, tensor in (("model_output", model_output), ("sample", sample)):
            if not isinstance(tensor, ms.Tensor) or tensor.dtype not in _FLOATS:
                raise TypeError(f"{name} is {_kind(tensor)}; expected a MindSpore tensor of floating-point numbers")
        if model_output.shape != sample.shape:
            raise ValueError(f"model_output has the shape {model_output.shape}, but sample has {sample.shape}")
        a, b, r, c = row
        work = working_dtype(sample)
        denoised = self._denoise(index, cast(model_output, work), cast(sample, work), a, b)
        if c is None:
            self._step_index = index + 1
            denoised = cast(denoised, sample.dtype)
            return denoised, denoised
        drawn = standard_normal(sample.shape, generator) if noise is None else _host_noise(noise, sample.shape)
        # Scaled on the host, where it is: one device operation less.
        scaled = np.empty(drawn.shape, np.float64 if work == ms.float64 else np.float32)
        np.multiply(drawn, c, out=scaled, dtype=np.float64, casting="same_kind")
        self._step_index = index + 1
        stepped = times(denoised, r) + ms.Tensor.from_numpy(scaled)
        return cast(stepped, sample.dtype), cast(denoised, sample.dtype)

    @property
    def affine(self) -> bool:
        """Whether a step is A·x + B·m + C·z, so that there are `coefficients`."""
        return True

    def _denoise(self, index: int, model_output: ms.Tensor, sample: ms.Tensor, a: float, b: float) -> ms.Tensor:
        return blend(a, sample, b, model_output)

    def scale_model_input(self, sample: ms.Tensor, timestep: int | ms.Tensor | None = None) -> ms.Tensor:
        """`sample` as it is: these samplers need no scaling."""
        return sample

    def __len__(self) -> int:
        return self.config.num_train_timesteps


def _other_kind(config: dict) -> str | None:
    """Which scheduler without betas a configuration is of; one that was never saved does not say its class."""
    name = config.get("_class_name")
    if isinstance(name, str):
        return name if name.startswith("FlowMatch") or "EDM" in name else None
    if config.keys() & {"beta_start", "trained_betas"}:
        return None
    if config.keys() & {"shift", "base_shift"}:
        return "a flow-matching scheduler"
    return "an EDM scheduler" if "sigma_data" in config else None


def _kind(value: object) -> str:
    return f"a tensor of {value.dtype}" if isinstance(value, ms.Tensor) else f"of type {type(value).__name__}"


def _host_noise(noise: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(noise, np.ndarray):
        raise TypeError(
            f"noise is of type {type(noise).__name__}; expected the NumPy array of standard_normal: step scales it on "
            "the host. For noise that is on the device already, use affine_step with scheduler.coefficients()"
        )
    if noise.shape != tuple(shape):
        raise ValueError(f"noise has the shape {noise.shape}, but sample has {tuple(shape)}")
    return noise


@functools.cache
def _warn_once(scheduler: str, option: str, value: str, remedy: str) -> None:
    logger.warning(
        "%s has no use for %s=%s and ignores it; what you may want instead: %s.", scheduler, option, value, remedy
    )
