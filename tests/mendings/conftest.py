"""The tests of this folder run with the mendings in place; with MENDINGS=off in the environment, without them."""

import os

import pytest

from mindone_tcd import cpu, mendings

if os.environ.get("MENDINGS") != "off":
    mendings.apply()

import mindone.diffusers  # noqa: F401  the test files take their names from it


@pytest.fixture(scope="session", autouse=True)
def kernels():
    cpu.enable()
