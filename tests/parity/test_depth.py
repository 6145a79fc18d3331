"""DPT depth estimation, which the guides use for depth maps, compared with transformers on torch."""

import numpy as np
import parity_case
import pytest


@pytest.fixture(scope="module", params=parity_case.DEPTHS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def found(name, run):
    return parity_case.depth(run.framework, run.folders, name)


# Both sum float32 in their own order, so they differ by up to 1e-5 of the largest depth.
def test_equal_to_the_stored_depth_of_transformers(name, found, stored):
    np.testing.assert_allclose(found, stored[name], rtol=0, atol=1e-4 * np.abs(stored[name]).max())


@pytest.mark.parity
def test_equal_to_transformers_live(name, found, folders, theirs):
    reference = parity_case.depth(theirs.framework, folders, name)
    np.testing.assert_allclose(found, reference, rtol=0, atol=1e-4 * np.abs(reference).max())


def test_another_image_has_another_depth(name, found, run):
    other = parity_case.depth(run.framework, run.folders, name, seed=10)
    assert np.abs(other - found).max() > 1e-2 * np.abs(found).max()
