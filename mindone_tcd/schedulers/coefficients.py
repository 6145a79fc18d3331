"""The numbers of one denoising step. Python and NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StepCoefficients:
    """One row of a sampler's table: a denoising step with numbers for the timestep filled in.

        denoised = a·x + b·m
        x_next   = r·denoised + c·z

    x is the sample, m the model output, z standard normal noise. For LCM, `denoised` is the consistency function's
    estimate of the clean sample; for TCD it is x_s, the sample at the timestep s.

    Attributes:
        a: weight of the sample.
        b: weight of the model output.
        r: weight of `denoised`.
        c: weight of the noise; None if the step draws no noise. Then r is 1.
    """

    a: float
    b: float
    r: float = 1.0
    c: float | None = None

    @property
    def affine(self) -> tuple[float, float, float]:
        """(A, B, C) such that x_next = A·x + B·m + C·z."""
        return self.r * self.a, self.r * self.b, self.c or 0.0


def rows(a: np.ndarray, b: np.ndarray, r: np.ndarray, c: np.ndarray, noisy: int) -> list[StepCoefficients]:
    """Make the rows of a trajectory from one array for each coefficient.

    Args:
        a: float64 array of shape (n,), one value for each step.
        b: the same for b.
        r: float64 array of at least `noisy` values.
        c: the same for c.
        noisy: how many steps, counted from the first, draw noise. The others get r = 1 and c = None.

    Returns:
        n rows.
    """
    quiet = len(a) - noisy
    columns = a.tolist(), b.tolist(), [*r[:noisy].tolist(), *[1.0] * quiet], [*c[:noisy].tolist(), *[None] * quiet]
    return [StepCoefficients(*row) for row in zip(*columns, strict=True)]
