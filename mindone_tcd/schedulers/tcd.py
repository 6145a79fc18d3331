"""Trajectory consistency distillation: arXiv 2402.19159, algorithm 4 (strategic stochastic sampling)."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindone.diffusers.schedulers.scheduling_tcd import TCDSchedulerOutput

from ..random import Generators
from .arguments import fraction
from .base import FewStepScheduler
from .coefficients import StepCoefficients
from .methods import METHODS
from .tcd_table import tcd_coefficients

DEFAULT_ETA = fraction(METHODS["tcd"].eta, "eta", zero=True)


class TCDScheduler(FewStepScheduler):
    """Few-step sampler for models distilled with TCD, such as TCD-SDXL-LoRA.

    A step from timestep t to the next timestep p follows the deterministic trajectory down to s = ⌊(1-η)·p⌋, then adds
    fresh noise z to return to p (paper: equations 9 and 31; `eta`, η, is the paper's γ):

        x_s = √ᾱ_s · x0 + √(1-ᾱ_s) · ε
        x_p = √(ᾱ_p/ᾱ_s) · x_s + √(1-ᾱ_p/ᾱ_s) · z

    x0 and ε follow from x, the model output m and the prediction type. So the step is x_p = A·x + B·m + C·z, with three
    numbers that `tcd_coefficients` computes in float64 on the host.

    Args:
        num_train_timesteps: T, the number of timesteps the model was trained on.
        beta_start: β at timestep 0.
        beta_end: β at timestep T-1.
        beta_schedule: how β grows between them, see `noise_schedule.make_betas`.
        trained_betas: all T values of β; the three arguments before this one then have no effect.
        original_inference_steps: length of the distillation's grid, from which `set_timesteps` takes timesteps.
        prediction_type: the model's output: `epsilon`, `v_prediction` or `sample`.
        rescale_betas_zero_snr: makes the last ᾱ exactly 0 (arXiv 2305.08891). An epsilon model then has no finite
            step from T-1: `step` raises a ValueError there instead of returning NaN.
        clip_sample: no effect, see below.
        clip_sample_range: no effect.
        thresholding: no effect.
        dynamic_thresholding_ratio: no effect.
        sample_max_value: no effect.
        set_alpha_to_one: no effect.
        steps_offset: no effect.
        timestep_spacing: no effect.
        timestep_scaling: no effect.

    As in diffusers, the configuration stores the arguments without effect for other schedulers that are later made
    from it. A value that suggests an effect causes one warning. `leading`, an offset of 0 or 1 and both values of
    `set_alpha_to_one` cause none, because nearly every Stable Diffusion folder has them.

    Raises:
        ValueError: for an invalid configuration. The message says what was expected.

    Equal to diffusers 0.35, because images depend on it:

    - the timesteps; also, *any* `original_inference_steps` passed to `set_timesteps` opens the grid to all timesteps
      below T·strength, and otherwise only limits the number of steps;
    - the product (1-η)·p is rounded to float32 before the floor;
    - the last step goes to s = 0, whose ᾱ is 0.99915, not 1, and draws no noise.

    Different, because diffusers has a defect there:

    - invalid arguments, such as 0 steps, raise a ValueError that says what to do;
    - `set_timesteps` takes `original_inference_steps`, `timesteps` and `strength` by name only;
    - with custom timesteps and a strength below 1, `num_inference_steps` is the number of steps really taken,
      and the last of them draws no noise, so the generator does not advance;
    - float16 and bfloat16 samples are stepped in float32 and rounded once;
    - `add_noise` takes its roots in float32, for every dtype, and accepts t of any shape;
    - the value of the timestep selects the step, so steps may be repeated or skipped.
    """

    def _check_options(self) -> None:
        super()._check_options()
        if self.config.clip_sample:
            self._warn("clip_sample", True, "LCMScheduler, which clips x0")
        if self.config.thresholding:
            self._warn("thresholding", True, "LCMScheduler, which thresholds x0")
        if self.config.timestep_scaling != 10.0:
            self._warn("timestep_scaling", self.config.timestep_scaling, "LCMScheduler, which has boundary scalings")

    def _origin_grid(self, original_inference_steps: int | None, strength: float) -> np.ndarray:
        if original_inference_steps is None:
            return super()._origin_grid(None, strength)
        self._original_steps(original_inference_steps)
        return np.arange(int(len(self) * strength), dtype=np.int64)

    def make_table(self, eta: float = DEFAULT_ETA) -> list[StepCoefficients]:
        self._eta = eta
        return tcd_coefficients(self.schedule, self.timesteps_list, eta)

    def _table_for(self, eta: float | None) -> list[StepCoefficients]:
        self._need_timesteps()
        eta = DEFAULT_ETA if eta is None else fraction(eta, "eta", zero=True)
        if eta != self._eta:
            self._table = self.make_table(eta)
        return self._table

    def coefficients(self, eta: float | None = DEFAULT_ETA) -> tuple[tuple[float, float, float], ...]:
        """Return (A, B, C) of each step from the begin index on, for `affine_step`.

        Args:
            eta: as in `step`. The last step, and every step with eta 0, has C = 0: its noise may be None.

        Raises:
            ValueError: before `set_timesteps`, if eta is outside [0, 1], or if a step is not finite.
        """
        return self._affine_rows(self._table_for(eta))

    def step(  # type: ignore[override]  # diffusers and mindone have eta in this place
        self,
        model_output: ms.Tensor,
        timestep: int | ms.Tensor,
        sample: ms.Tensor,
        eta: float | None = DEFAULT_ETA,
        generator: Generators = None,
        return_dict: bool = False,
        *,
        noise: np.ndarray | None = None,
    ) -> TCDSchedulerOutput | tuple[ms.Tensor, ms.Tensor]:
        """Step from x_t to the sample at the next timestep.

        The operations, and the reads from the device, are those of `FewStepScheduler.step`.

        Args:
            model_output: shape (batch, …), the model's output at `timestep`.
            timestep: one of `scheduler.timesteps`.
            sample: x_t, the same shape as `model_output`.
            eta: η in [0, 1]: 0 is deterministic, 1 goes down to x0 and renews all noise. None is the default of 0.3:
                the LatentConsistencyModel pipelines, which have no eta, pass None.
            generator: one NumPy generator, or one for each image. A step that adds no noise does not use it.
            return_dict: whether to return a `TCDSchedulerOutput` instead of a tuple.
            noise: standard normals to use instead of the generator's, a float array of the shape of `sample`.

        Returns:
            (x_p, x_s), or the output object with `prev_sample` and `pred_noised_sample`; both in the sample's dtype.

        Raises:
            ValueError: before `set_timesteps`; for an eta outside [0, 1], a timestep that is not in the trajectory,
                shapes that differ, a list of generators that does not fit the batch, or a step that is not finite.
            TypeError: if `model_output`, `sample`, `noise` or a generator is of another type.
        """
        return self._step(self._table_for(eta), model_output, timestep, sample, generator, return_dict, noise)

    def _output(self, x_next: ms.Tensor, denoised: ms.Tensor) -> TCDSchedulerOutput:
        return TCDSchedulerOutput(prev_sample=x_next, pred_noised_sample=denoised)
