"""DPT depth estimation, which the guides draw their depth maps with, against transformers on torch."""

import numpy as np
import parity_case
import pytest

STORED_AS = "dpt"


@pytest.fixture(scope="module")
def found(run):
    return parity_case.depth(run.framework, run.folders)


def test_equal_to_the_stored_depth_of_transformers(found, stored):
    np.testing.assert_allclose(found, stored[STORED_AS], rtol=0, atol=1e-4 * np.abs(stored[STORED_AS]).max())


@pytest.mark.parity
def test_equal_to_transformers_live(found, folders, theirs):
    reference = parity_case.depth(theirs.framework, folders)
    np.testing.assert_allclose(found, reference, rtol=0, atol=1e-4 * np.abs(reference).max())


def test_another_picture_has_another_depth(found, run):
    other = parity_case.depth(run.framework, run.folders, seed=10)
    assert np.abs(other - found).max() > 1e-2 * np.abs(found).max()
