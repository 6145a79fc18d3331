"""Latent consistency models: arXiv 2310.04378, algorithm 3 (multistep sampling)."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindone.diffusers.schedulers.scheduling_lcm import LCMSchedulerOutput
from mindspore import ops

from .affine import blend, dynamic_threshold
from .arguments import fraction, positive
from .base import FewStepScheduler
from .coefficients import StepCoefficients
from .lcm_table import boundary_scalings, lcm_coefficients


class LCMScheduler(FewStepScheduler):
    """Few-step sampler for latent consistency models and LCM-LoRAs.

    A step from timestep t goes to the model's estimate x̂ of the clean sample, then adds fresh noise z to reach the next
    timestep p (paper: equation 8 and algorithm 3; its appendix defines the boundary scalings c_skip and c_out):

        x̂   = c_out(t) · x0 + c_skip(t) · x,     c_skip = σ²/((k·t)²+σ²),  c_out = k·t/√((k·t)²+σ²)
        x_p = √ᾱ_p · x̂ + √(1-ᾱ_p) · z

    with σ = 0.5 and k = `timestep_scaling`. x0 follows from x, the model output m and the prediction type. So the step
    is x_p = A·x + B·m + C·z, with three numbers that `lcm_coefficients` computes in float64 on the host.

    Args:
        num_train_timesteps: T, the number of timesteps the model was trained on.
        beta_start: β at timestep 0.
        beta_end: β at timestep T-1.
        beta_schedule: how β grows between them, see `noise_schedule.make_betas`.
        trained_betas: all T values of β; the three arguments before this one then have no effect.
        original_inference_steps: length of the distillation's grid, from which `set_timesteps` takes timesteps.
        clip_sample: clips x0 to ±`clip_sample_range`. Such a step, like one with `thresholding`, is not affine and
            needs a few more operations.
        clip_sample_range: the largest |x0| that `clip_sample` leaves.
        prediction_type: the model's output: `epsilon`, `v_prediction` or `sample`.
        thresholding: Imagen's dynamic thresholding of x0, instead of clipping. For models of pixels, not of latents.
        dynamic_thresholding_ratio: the quantile of |x0| that becomes the threshold.
        sample_max_value: the largest threshold.
        timestep_scaling: k.
        rescale_betas_zero_snr: makes the last ᾱ exactly 0 (arXiv 2305.08891). An epsilon model then has no finite
            step from T-1: `step` raises a ValueError there instead of returning NaN.
        set_alpha_to_one: no effect, see below.
        steps_offset: no effect.
        timestep_spacing: no effect.

    As in diffusers, the configuration stores the arguments without effect for other schedulers that are later made
    from it. A value that suggests an effect causes one warning. `leading`, an offset of 0 or 1 and both values of
    `set_alpha_to_one` cause none, because nearly every Stable Diffusion folder has them.

    Raises:
        ValueError: for an invalid configuration. The message says what was expected.

    Equal to diffusers 0.35, because images depend on it: the timesteps, and that the last step returns x̂.

    Different, because diffusers has a defect there:

    - invalid arguments, such as 0 steps, raise a ValueError that says what to do;
    - `set_timesteps` takes `original_inference_steps`, `timesteps` and `strength` by name only;
    - with custom timesteps and a strength below 1, `num_inference_steps` is the number of steps really taken,
      and the last of them adds no noise to the finished image;
    - float16 and bfloat16 samples are stepped in float32 and rounded once;
    - `add_noise` takes its roots in float32, for every dtype, and accepts t of any shape;
    - the value of the timestep selects the step, so steps may be repeated or skipped;
    - the quantile of the thresholding is computed on the device, without a read.
    """

    def _check_options(self) -> None:
        super()._check_options()
        positive(self.config.timestep_scaling, "timestep_scaling")
        if self.config.thresholding:
            fraction(self.config.dynamic_thresholding_ratio, "dynamic_thresholding_ratio", zero=True)
            positive(self.config.sample_max_value, "sample_max_value")
        elif self.config.clip_sample:
            positive(self.config.clip_sample_range, "clip_sample_range")

    def make_table(self) -> list[StepCoefficients]:
        return lcm_coefficients(self.schedule, self.timesteps_list, self.config.timestep_scaling)

    @property
    def affine(self) -> bool:
        return not (self.config.thresholding or self.config.clip_sample)

    def coefficients(self) -> tuple[tuple[float, float, float], ...]:
        """Return (A, B, C) of each step from the begin index on, for `affine_step`; the last has C = 0.

        Raises:
            ValueError: before `set_timesteps`, if a step is not finite, or if the configuration clips or thresholds
                x0, which is not affine.
        """
        if not self.affine:
            raise ValueError("clip_sample and thresholding are not affine and have no coefficients: use step")
        return super().coefficients()

    def _denoise(self, row: StepCoefficients, timestep: int, x: ms.Tensor, m: ms.Tensor) -> ms.Tensor:
        if self.affine:
            return super()._denoise(row, timestep, x, m)
        t = np.array([timestep])
        (p,), (q,) = (part.tolist() for part in self.schedule.x0(t))
        (c_skip,), (c_out,) = (part.tolist() for part in boundary_scalings(t, self.config.timestep_scaling))
        x0 = blend(p, x, q, m)
        if self.config.thresholding:
            x0 = dynamic_threshold(x0, self.config.dynamic_thresholding_ratio, self.config.sample_max_value)
        else:
            x0 = ops.minimum(ops.maximum(x0, -self.config.clip_sample_range), self.config.clip_sample_range)
        return blend(c_skip, x, c_out, x0)

    def _output(self, x_next: ms.Tensor, denoised: ms.Tensor) -> LCMSchedulerOutput:
        return LCMSchedulerOutput(prev_sample=x_next, denoised=denoised)
