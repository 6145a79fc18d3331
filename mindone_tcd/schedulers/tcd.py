"""Trajectory Consistency Distillation: arXiv 2402.19159, algorithm 4 (strategic stochastic sampling)."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindone.diffusers.schedulers.scheduling_tcd import TCDSchedulerOutput

from ..random import Generators
from .base import FewStepScheduler, Row
from .timesteps import fraction

DEFAULT_ETA = 0.3


class TCDScheduler(FewStepScheduler):
    """Few-step sampler for models distilled with TCD, such as TCD-SDXL-LoRA.

    A step from timestep t towards the next one, p, first goes down to s = ⌊(1-η)·p⌋ along the deterministic
    trajectory and then back up to p with fresh noise z (paper: equations 9 and 31; its γ is `eta`, η, here):

        x_s = √ᾱ_s · x0 + √(1-ᾱ_s) · ε
        x_p = √(ᾱ_p/ᾱ_s) · x_s + √(1-ᾱ_p/ᾱ_s) · z

    x0 and ε follow from x, the model output m and the prediction type, so the whole is x_p = A·x + B·m + C·z with
    three numbers a step, made in float64 on the host by `set_timesteps`.

    Args:
        num_train_timesteps: T, the number of timesteps the model was trained on.
        beta_start: β at timestep 0.
        beta_end: β at timestep T-1.
        beta_schedule: how β grows between them, see `noise_schedule.make_betas`.
        trained_betas: all T values of β themselves; the three arguments before this one then have no effect.
        original_inference_steps: length of the grid of the distillation, of which `set_timesteps` takes a part.
        prediction_type: what the model's output is: `epsilon`, `v_prediction` or `sample`.
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

    As in diffusers, the arguments without effect are stored for other schedulers that are later built from this
    configuration. A value that suggests an effect causes one warning. `leading`, an offset of 0 or 1 and both values
    of `set_alpha_to_one` cause none, because nearly every Stable Diffusion folder has them.

    Raises:
        ValueError: for a configuration that makes no sense; it says what was expected.

    Equal to diffusers 0.35, because pictures depend on it:

    - the timesteps, also that *any* `original_inference_steps` given to `set_timesteps` opens the grid to all
      timesteps below T·strength and else only limits the number of steps;
    - the product (1-η)·p is rounded to float32 before the floor;
    - the last step goes to s = 0, whose ᾱ is 0.99915, not 1, and draws no noise.

    Different, because there it is a defect:

    - bad arguments, 0 steps among them, are ValueErrors that say what to do;
    - `original_inference_steps`, `timesteps` and `strength` are given to `set_timesteps` by name only;
    - with custom timesteps and a strength below 1, `num_inference_steps` is the number of steps really taken,
      and the last of them draws no noise, so the generator stays in place;
    - float16 and bfloat16 samples are stepped in float32 and rounded once;
    - `add_noise` takes its roots in float32, whatever the dtype, and takes t of any shape;
    - the step is found from the value of the timestep, so steps may be repeated or skipped.
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

    def _tabulate(self) -> None:
        self._eta, self._rows = DEFAULT_ETA, self._table(DEFAULT_ETA)

    def _rows_for(self, eta: float | None) -> list[Row]:
        eta = DEFAULT_ETA if eta is None else fraction(eta, "eta", zero=True)
        if eta != self._eta:
            self._eta, self._rows = eta, self._table(eta)
        return self._rows

    def _table(self, eta: float) -> list[Row]:
        """One row (a, b, r, c) a step: x_s = a·x + b·m and x_p = r·x_s + c·z."""
        t = np.asarray(self.timesteps_list)
        p = np.append(t[1:], 0)
        s = np.floor(np.float32(1 - eta) * p.astype(np.float32)).astype(np.int64)
        with np.errstate(divide="ignore", invalid="ignore"):
            signal, sigma = self._mixture(s)
            (x0_x, x0_m), (epsilon_x, epsilon_m) = self._x0(t), self._epsilon(t)
            a = signal * x0_x + sigma * epsilon_x
            b = signal * x0_m + sigma * epsilon_m
            kept = self._alphas_cumprod[p] / self._alphas_cumprod[s]
        rows: list[Row] = list(
            zip(a.tolist(), b.tolist(), np.sqrt(kept).tolist(), np.sqrt(1 - kept).tolist(), strict=True)
        )
        quiet = len(rows) - 1 if eta > 0 else 0
        return rows[:quiet] + [(a, b, 1.0, None) for a, b, *_ in rows[quiet:]]

    def coefficients(self, eta: float | None = DEFAULT_ETA) -> tuple[tuple[float, float, float], ...]:
        """(A, B, C) of each step from the begin index on, for `affine_step`.

        Args:
            eta: as in `step`. The last step, and every step with eta 0, has C = 0: its noise may be None.

        Raises:
            ValueError: before `set_timesteps`, or if eta is outside [0, 1], or if a step is not finite.
        """
        self._need_timesteps()
        return self._coefficients(self._rows_for(eta))

    def step(
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
        """From x_t to the sample at the next timestep.

        Five device operations, three where no noise is added (half precisions add four casts), and no wait for the
        device: `timestep` is read on the host if it is a number or comes out of `scheduler.timesteps`. A tensor from
        elsewhere is read from the device, unless `set_begin_index` promised that the steps come in order. Inside
        `ms.jit`, use `affine_step` with `coefficients()`.

        Args:
            model_output: shape (batch, …), what the model says at `timestep`.
            timestep: one of `scheduler.timesteps`.
            sample: x_t, the same shape as `model_output`.
            eta: η in [0, 1]: 0 is deterministic, 1 goes back to pure x0 and renews all noise. None is the default of
                0.3: the LatentConsistencyModel pipelines, which know no eta, hand on None.
            generator: one NumPy generator, or one for each image. It is not touched where no noise is added.
            return_dict: whether to return a `TCDSchedulerOutput` instead of a tuple.
            noise: standard normals to use in place of the generator's, float array of the shape of `sample`.

        Returns:
            (x_p, x_s), or the output object with `prev_sample` and `pred_noised_sample`; both in the sample's dtype.

        Raises:
            ValueError: before `set_timesteps`; for an eta outside [0, 1], a timestep that is not in the trajectory,
                shapes that differ, a list of generators that does not fit the batch, or a step that is not finite.
            TypeError: if `model_output`, `sample`, `noise` or a generator is of another kind.
        """
        place = self._locate(timestep)
        row = self._checked(self._rows_for(eta), place)
        prev_sample, noised = self._advance(place, row, model_output, sample, generator, noise)
        if return_dict:
            return TCDSchedulerOutput(prev_sample=prev_sample, pred_noised_sample=noised)
        return prev_sample, noised
