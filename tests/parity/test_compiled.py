"""Compiled pipelines also generate the stored images of diffusers, with every kind of input.

Compiling takes long: the first case is marked slow, and the others run only in the longer run with torch.
"""

import warnings

import numpy as np
import parity_case
import pytest
from parity_cases import CASES
from test_equal_to_diffusers import TOLERANCE, check

from mindone_tcd import compile_pipeline, uncompile_pipeline
from mindone_tcd.compiled.pipeline import compiled_form

LONG = pytest.mark.parity
NAMES = [
    pytest.param("lcm-pipeline", marks=pytest.mark.slow),
    pytest.param("sdxl-guidance-embedding", marks=LONG),
    pytest.param("sd15-img2img-tcd", marks=LONG),
    pytest.param("sdxl-inpaint-9-channels-tcd", marks=LONG),
    pytest.param("sd15-two-controlnets-lcm", marks=LONG),
    pytest.param("t2i-adapter-part-of-the-steps", marks=LONG),
    pytest.param("animatediff-tcd", marks=LONG),
]
"""One case for each kind of pipeline. The same code compiles the others."""


@pytest.fixture
def compiled(run):
    """The compiled pipeline of a case. A call that runs without its graph is an error."""
    taken = []

    def get(name):
        taken.append(compile_pipeline(run.loaded(CASES[name])))
        return taken[-1]

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*runs without a graph.*")
        yield get
    for pipe in taken:
        uncompile_pipeline(pipe)


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_the_stored_images_of_diffusers(name, run, stored, compiled):
    case = CASES[name]
    pipe = compiled(name)
    check(case, parity_case.kept(case, run(case)), stored[name])
    graphs = compiled_form(pipe).count()
    assert graphs >= 3
    again = run(case)
    assert compiled_form(pipe).count() == graphs, "the second image compiled something"
    check(case, parity_case.kept(case, again), stored[name])


@LONG
def test_an_ip_adapters_scale_is_never_stale(run, stored, compiled):
    case = CASES["ip-adapter"]
    pipe = compiled("ip-adapter")
    full = run(case)
    check(case, parity_case.kept(case, full), stored["ip-adapter"])
    pipe.set_ip_adapter_scale(0.0)
    without = run(case)
    uncompile_pipeline(pipe)
    np.testing.assert_allclose(without, run(case), rtol=0, atol=TOLERANCE)
    pipe.set_ip_adapter_scale(case.setup[-1][1][0])
    assert np.abs(full - without).max() > 1e-2


@LONG
def test_another_controlnet_is_never_stale(run, folders, compiled):
    import mindone_tcd

    case = CASES["sdxl-controlnet-tcd"]
    pipe = compiled("sdxl-controlnet-tcd")
    first = run(case)
    mine, pipe.controlnet = (
        pipe.controlnet,
        mindone_tcd.ControlNetModel.from_pretrained(str(folders("controlnet-sdxl", 5))),
    )
    try:
        second = run(case)
        uncompile_pipeline(pipe)
        np.testing.assert_allclose(second, run(case), rtol=0, atol=TOLERANCE)
    finally:
        pipe.controlnet = mine
    assert np.abs(first - second).max() > 1e-3
