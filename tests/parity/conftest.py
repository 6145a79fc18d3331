"""Each pipeline is loaded once, and each case runs once in mindone."""

import importlib.util
from pathlib import Path

import numpy as np
import parity_case
import pytest
from parity_cases import CASES, REFERENCES


@pytest.fixture(scope="session")
def run(folders):
    """Runs a case with mindone."""
    return parity_case.Runner(parity_case.Mindone(), folders)


@pytest.fixture(scope="session")
def ours(run):
    """The result of mindone's pipeline for a case, by name. Each case runs once."""
    results = {}

    def get(name):
        if name not in results:
            results[name] = run(CASES[name])
        return results[name]

    return get


@pytest.fixture(scope="session")
def stored():
    with np.load(REFERENCES) as references:
        return dict(references)


@pytest.fixture(scope="session")
def theirs(folders):
    """Runs a case with diffusers; needs torch."""
    path = Path(__file__).parents[2] / "tools" / "reference" / "pipelines.py"
    spec = importlib.util.spec_from_file_location("reference_pipelines", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.runner(folders)
