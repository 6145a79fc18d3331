"""Every pipeline of the guides with our schedulers, against diffusers on torch: same weights, same prompt, same noise."""

import numpy as np
import parity_case
import pytest
from parity_cases import CASES

# Values in [0, 1], float32 on both sides. A wrong constant, weight or draw moves pixels by 1e-2 and more.
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", CASES)
def test_equal_to_the_stored_pictures_of_diffusers(name, ours, stored):
    pictures = parity_case.kept(CASES[name], ours(name))
    np.testing.assert_allclose(pictures, stored[name], rtol=0, atol=TOLERANCE)


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_equal_to_diffusers_live(name, ours, folders, reference):
    theirs = reference.run(name, folders)
    np.testing.assert_allclose(ours(name), theirs, rtol=0, atol=TOLERANCE)
