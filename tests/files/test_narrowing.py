"""Float32 values in float16."""

import numpy as np
import pytest

from mindone_tcd.files.narrowing import narrowed


@pytest.mark.parametrize("values", [[0.5, -2.0], [65504.0], [], [2.0**-24]])
def test_exact_values_become_float16(values):
    values = np.array(values, np.float32)
    assert narrowed(values).dtype == np.float16
    assert (narrowed(values).astype(np.float32) == values).all()


@pytest.mark.parametrize("values", [[0.1], [0.5, 70000.0], [2.0**-30], [np.nan]])
def test_other_values_stay(values):
    values = np.array(values, np.float32)
    assert narrowed(values) is values


def test_other_dtypes_stay():
    values = np.arange(3, dtype=np.int8)
    assert narrowed(values) is values
