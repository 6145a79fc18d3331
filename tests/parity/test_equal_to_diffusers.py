"""Every pipeline of the guides with our schedulers equals diffusers on torch, for equal weights, prompt and noise."""

import numpy as np
import parity_case
import pytest
from parity_cases import CASES

# Both sides compute values in [0, 1] in float32 and differ by 1e-6. Other processors sum in another order. A wrong
# constant, weight or random number moves pixels by 1e-4 to 1e-1 (test_sensitivity.py).
TOLERANCE = 2e-5
BYTE = 1.01 / 255
"""Integers can differ by 1 after rounding."""


def check(case, found, reference):
    largest = max(1.0, np.abs(reference).max())  # latents have values up to about 10
    tolerance = BYTE if case.in_bytes else TOLERANCE * largest
    np.testing.assert_allclose(found, reference, rtol=0, atol=tolerance)


QUICK = set(list(CASES)[::12]) - {"animatediff-ip-adapter"}
"""Cases that plain pytest runs. The others are marked slow."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_equal_to_the_stored_images_of_diffusers(name, ours, stored):
    check(CASES[name], parity_case.kept(CASES[name], ours(name)), stored[name])


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_equal_to_diffusers_live(name, ours, theirs):
    check(CASES[name], ours(name), theirs(CASES[name]))
