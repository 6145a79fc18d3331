"""Latent Consistency Models: arXiv 2310.04378, algorithm 3 (multistep sampling)."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindone.diffusers.schedulers.scheduling_lcm import LCMSchedulerOutput
from mindspore import ops

from ..random import Generators
from .affine import blend, dynamic_threshold
from .base import FewStepScheduler, Row
from .timesteps import fraction, positive

SIGMA_DATA = 0.5


class LCMScheduler(FewStepScheduler):
    """Few-step sampler for latent consistency models and LCM-LoRAs.

    A step from timestep t jumps to the model's picture and back up to the next timestep, p, with fresh noise z
    (paper: equation 8 and algorithm 3; c_skip and c_out are the boundary scalings of its appendix):

        x̂   = c_out(t) · x0 + c_skip(t) · x,     c_skip = σ²/((k·t)²+σ²),  c_out = k·t/√((k·t)²+σ²)
        x_p = √ᾱ_p · x̂ + √(1-ᾱ_p) · z

    with σ = 0.5 and k = `timestep_scaling`. x0 follows from x, the model output m and the prediction type, so the
    whole is x_p = A·x + B·m + C·z with three numbers a step, made in float64 on the host by `set_timesteps`.

    Args:
        num_train_timesteps: T, the number of timesteps the model was trained on.
        beta_start: β at timestep 0.
        beta_end: β at timestep T-1.
        beta_schedule: how β grows between them, see `noise_schedule.make_betas`.
        trained_betas: all T values of β themselves; the three arguments before this one then have no effect.
        original_inference_steps: length of the grid of the distillation, of which `set_timesteps` takes a part.
        clip_sample: clips x0 to ±`clip_sample_range`. Such a step, like one with `thresholding`, is not affine and
            needs a few more operations.
        clip_sample_range: the largest |x0| that `clip_sample` leaves.
        prediction_type: what the model's output is: `epsilon`, `v_prediction` or `sample`.
        thresholding: Imagen's dynamic thresholding of x0, instead of clipping. For models of pixels, not of latents.
        dynamic_thresholding_ratio: the quantile of |x0| that becomes the threshold.
        sample_max_value: the largest threshold.
        timestep_scaling: k.
        rescale_betas_zero_snr: makes the last ᾱ exactly 0 (arXiv 2305.08891). An epsilon model then has no finite
            step from T-1: `step` raises a ValueError there instead of returning NaN.
        set_alpha_to_one: no effect, see below.
        steps_offset: no effect.
        timestep_spacing: no effect.

    As in diffusers, the arguments without effect are stored for other schedulers that are later built from this
    configuration. A value that suggests an effect causes one warning. `leading`, an offset of 0 or 1 and both values
    of `set_alpha_to_one` cause none, because nearly every Stable Diffusion folder has them.

    Raises:
        ValueError: for a configuration that makes no sense; it says what was expected.

    Equal to diffusers 0.35, because pictures depend on it: the timesteps, and that the last step returns x̂.

    Different, because there it is a defect:

    - bad arguments, 0 steps among them, are ValueErrors that say what to do;
    - `original_inference_steps`, `timesteps` and `strength` are given to `set_timesteps` by name only;
    - with custom timesteps and a strength below 1, `num_inference_steps` is the number of steps really taken,
      and the last of them adds no noise to the finished picture;
    - float16 and bfloat16 samples are stepped in float32 and rounded once;
    - `add_noise` takes its roots in float32, whatever the dtype, and takes t of any shape;
    - the step is found from the value of the timestep, so steps may be repeated or skipped;
    - the quantile of the thresholding is found on the device, without a wait.
    """

    def _check_options(self) -> None:
        super()._check_options()
        positive(self.config.timestep_scaling, "timestep_scaling")
        if self.config.thresholding:
            fraction(self.config.dynamic_thresholding_ratio, "dynamic_thresholding_ratio", zero=True)
            positive(self.config.sample_max_value, "sample_max_value")
        elif self.config.clip_sample:
            positive(self.config.clip_sample_range, "clip_sample_range")

    def _tabulate(self) -> None:
        """One row (a, b, r, c) a step: x̂ = a·x + b·m and x_p = r·x̂ + c·z."""
        t = np.asarray(self.timesteps_list)
        scaled = t * float(self.config.timestep_scaling)
        c_skip = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
        c_out = scaled / np.sqrt(scaled**2 + SIGMA_DATA**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            x0_x, x0_m = self._x0(t)
            a, b = c_out * x0_x + c_skip, c_out * x0_m
        signal, sigma = (part.tolist() for part in self._mixture(t[1:]))
        self._boundary = list(zip(x0_x.tolist(), x0_m.tolist(), c_skip.tolist(), c_out.tolist(), strict=True))
        self._rows: list[Row] = list(
            zip(a.tolist(), b.tolist(), [*signal, 1.0], [*sigma, None], strict=True),
        )

    @property
    def affine(self) -> bool:
        return not (self.config.thresholding or self.config.clip_sample)

    def _denoise(self, index: int, model_output: ms.Tensor, sample: ms.Tensor, a: float, b: float) -> ms.Tensor:
        if self.affine:
            return blend(a, sample, b, model_output)
        x0_x, x0_m, c_skip, c_out = self._boundary[index]
        x0 = blend(x0_x, sample, x0_m, model_output)
        if self.config.thresholding:
            x0 = dynamic_threshold(x0, self.config.dynamic_thresholding_ratio, self.config.sample_max_value)
        else:
            x0 = ops.minimum(ops.maximum(x0, -self.config.clip_sample_range), self.config.clip_sample_range)
        return blend(c_skip, sample, c_out, x0)

    def coefficients(self) -> tuple[tuple[float, float, float], ...]:
        """(A, B, C) of each step from the begin index on, for `affine_step`; the last has C = 0.

        Raises:
            ValueError: before `set_timesteps`, if a step is not finite, or if the configuration clips or thresholds
                x0, which is not affine.
        """
        self._need_timesteps()
        if not self.affine:
            raise ValueError("clip_sample and thresholding are not affine and have no coefficients: use step")
        return self._coefficients(self._rows)

    def step(
        self,
        model_output: ms.Tensor,
        timestep: int | ms.Tensor,
        sample: ms.Tensor,
        generator: Generators = None,
        return_dict: bool = False,
        *,
        noise: np.ndarray | None = None,
    ) -> LCMSchedulerOutput | tuple[ms.Tensor, ms.Tensor]:
        """From x_t to the sample at the next timestep.

        Five device operations, three in the last step (half precisions add four casts; clipping and thresholding add
        their own), and no wait for the device: `timestep` is read on the host if it is a number or comes out of
        `scheduler.timesteps`. A tensor from elsewhere is read from the device, unless `set_begin_index` promised that
        the steps come in order. Inside `ms.jit`, use `affine_step` with `coefficients()`.

        Args:
            model_output: shape (batch, …), what the model says at `timestep`.
            timestep: one of `scheduler.timesteps`.
            sample: x_t, the same shape as `model_output`.
            generator: one NumPy generator, or one for each image. The last step does not touch it.
            return_dict: whether to return an `LCMSchedulerOutput` instead of a tuple.
            noise: standard normals to use in place of the generator's, float array of the shape of `sample`.

        Returns:
            (x_p, x̂), or the output object with `prev_sample` and `denoised`; both in the sample's dtype.

        Raises:
            ValueError: before `set_timesteps`; for a timestep that is not in the trajectory, shapes that differ, a
                list of generators that does not fit the batch, or a step that is not finite.
            TypeError: if `model_output`, `sample`, `noise` or a generator is of another kind.
        """
        place = self._locate(timestep)
        prev_sample, denoised = self._advance(
            place, self._checked(self._rows, place), model_output, sample, generator, noise
        )
        if return_dict:
            return LCMSchedulerOutput(prev_sample=prev_sample, denoised=denoised)
        return prev_sample, denoised
