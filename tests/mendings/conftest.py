"""The tests of this folder run with the mendings in place; with MENDINGS=off in the environment, without them."""

import os

import mindone.diffusers  # noqa: F401  the kernels are for its modules
import pytest

from mindone_tcd import cpu, mendings


@pytest.fixture(scope="session", autouse=True)
def mended():
    cpu.enable()
    if os.environ.get("MENDINGS") == "off":
        mendings.withdraw()
    else:
        mendings.apply()
