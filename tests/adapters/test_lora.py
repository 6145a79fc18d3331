"""LoRAs of every layout through mindone's pipelines: equal to diffusers on torch."""

import importlib.util
from pathlib import Path

import cases
import layouts as lay
import numpy as np
import pytest
import tiny

# Both sides compute in float32 with other kernels; outputs are of size 1 to 6, and without any adapter they differ by
# up to 2e-5. A LoRA moves them by 2 or more.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def references():
    with np.load(cases.REFERENCES) as stored:
        return dict(stored)


def outputs(pipeline, case, folder):
    pipe = pipeline(case.config)
    cases.load(pipe, case.files(), folder)
    case.then(pipe)
    return tiny.mindone_outputs(pipe, case.config)


@pytest.mark.parametrize("name", cases.CASES)
def test_equal_to_the_stored_outputs_of_diffusers(pipeline, name, references, tmp_path):
    case = cases.CASES[name]
    for model, out in outputs(pipeline, case, tmp_path).items():
        np.testing.assert_allclose(out, references[f"{name}: {model}"], rtol=0, atol=TOLERANCE, err_msg=model)


@pytest.mark.parity
@pytest.mark.parametrize("name", cases.CASES)
def test_stored_references_are_diffusers_own(name, references):
    path = Path(__file__).parents[2] / "tools" / "reference" / "adapters.py"
    spec = importlib.util.spec_from_file_location("reference_adapters", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for key, out in script.make([name]).items():
        # Other builds of torch add up in another order.
        np.testing.assert_allclose(references[key], out, rtol=0, atol=TOLERANCE, err_msg=key)
