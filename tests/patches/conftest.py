"""The tests of this folder run with the patches. With MINDONE_TCD_PATCHES=cpu in the environment, most of them fail."""

import mindone.diffusers  # noqa: F401  the test files take their names from it
import pytest

from mindone_tcd import cpu


@pytest.fixture(scope="session", autouse=True)
def kernels():
    cpu.enable()
