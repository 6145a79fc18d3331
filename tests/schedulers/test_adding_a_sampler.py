"""The sampler of docs/adding-a-sampler.md equals mindone's DDIMScheduler and the formula."""

import re
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindone.diffusers.schedulers.scheduling_ddim import DDIMScheduler

from mindone_tcd import cpu
from mindone_tcd.random import generator, randn
from mindone_tcd.schedulers.methods import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-sampler.md"
CODE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
PREDICTIONS = ("epsilon", "v_prediction", "sample")


@pytest.fixture
def page(added_methods):
    """The names that the page defines, without the image that it generates (tests/test_docs.py runs the whole
    block)."""
    names = {"__name__": "page"}
    definitions, usage = CODE.split("# The name now works")
    assert 'load(method="ddim")' in usage
    exec(compile(definitions, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def kernels():
    """mindone's own scheduler needs kernels that MindSpore's CPU backend lacks."""
    before = cpu.enabled()
    cpu.enable()
    yield
    if not before:
        cpu.disable()


def test_the_example_is_short(page):
    assert len(CODE.splitlines()) < 60
    assert METHODS["ddim"].scheduler_class() is page["DDIMTableScheduler"]


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_every_step_equals_mindones(page, kernels, kind):
    theirs = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        prediction_type=kind,
        timestep_spacing="trailing",
    )
    theirs.set_timesteps(4)
    grid = theirs.timesteps.asnumpy().tolist()
    ours = page["DDIMTableScheduler"](prediction_type=kind)
    ours.set_timesteps(timesteps=grid)
    sample, output = randn((2, 4, 8, 8), generator(0)), randn((2, 4, 8, 8), generator(1))
    for t in grid:
        expected = theirs.step(output, t, sample, eta=0.0)[0].asnumpy()
        stepped = ours.step(output, t, sample)[0].asnumpy()
        np.testing.assert_allclose(stepped, expected, rtol=1e-4, atol=1e-4)  # mindone computes in float32


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_the_table_equals_the_formula(page, kind):
    scheduler = page["DDIMTableScheduler"](prediction_type=kind)
    scheduler.set_timesteps(8)
    alphas, grid = scheduler.schedule.alphas_cumprod, scheduler.timesteps_list
    x, m = np.random.default_rng(0).standard_normal((2, 100))
    for t, p, (a, b, c) in zip(grid, [*grid[1:], None], scheduler.coefficients(), strict=True):
        signal, sigma = np.sqrt(alphas[t]), np.sqrt(1 - alphas[t])
        x0 = {"epsilon": (x - sigma * m) / signal, "v_prediction": signal * x - sigma * m, "sample": m}[kind]
        expected = x0
        if p is not None:
            expected = np.sqrt(alphas[p]) * x0 + np.sqrt(1 - alphas[p]) * (x - signal * x0) / sigma
        np.testing.assert_allclose(a * x + b * m, expected, rtol=1e-9, atol=1e-9)
        assert c == 0


def test_the_base_class_provides_everything_else(page, tmp_path):
    kind = page["DDIMTableScheduler"]
    scheduler = kind.from_config({"_class_name": "EulerDiscreteScheduler", "beta_end": 0.015})
    assert scheduler.config.beta_end == 0.015
    scheduler.set_timesteps(2)
    x = ms.Tensor(np.ones((1, 4, 2, 2)), ms.float32)
    result = scheduler.step(x, scheduler.timesteps[0], x, return_dict=True)
    assert np.array_equal(result.prev_sample.asnumpy(), scheduler.step(x, 999, x)[0].asnumpy())
    assert METHODS["ddim"].uses(scheduler)
    scheduler.save_pretrained(tmp_path)
    assert type(kind.from_pretrained(tmp_path)) is kind
