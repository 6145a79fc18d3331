"""The tests of this folder run with the CPU kernels enabled."""

import pytest

from mindone_tcd import cpu


@pytest.fixture(autouse=True)
def replacements():
    if not cpu.enable():
        pytest.skip("the replacements are for device target CPU")
