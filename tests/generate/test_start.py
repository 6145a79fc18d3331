"""The start of a program imports only the modules that the shipped model needs."""

import subprocess
import sys

import pytest

LOADED = """
import sys
from mindone_tcd import load
load()
models = {name.split(".")[3] for name in sys.modules if name.startswith("mindone.transformers.models.")}
print(sorted(models - {"auto"}))
print([name for name in NOT_NEEDED if name in sys.modules])
"""

NOT_NEEDED = (
    *("torch", "sympy", "omegaconf", "scipy.stats._stats_py", "scipy.integrate._ode", "scipy.optimize"),
    *("transformers.modeling_utils", "transformers.generation.utils", "mindone.transformers.trainer"),
    *("mindone.peft.auto", "mindone.diffusers.pipelines.auto_pipeline", "mindone.transformers.models.dpt"),
)


@pytest.fixture(scope="module")
def printed():
    code = LOADED.replace("NOT_NEEDED", repr(NOT_NEEDED))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.splitlines()


def test_the_shipped_model_imports_two_models_of_transformers(printed):
    assert printed[0] == "['clip', 'siglip']"  # the loader of IP-Adapters imports siglip


def test_unneeded_libraries_are_not_imported(printed):
    assert printed[1] == "[]"
