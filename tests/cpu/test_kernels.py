"""Every replaced function equals NumPy, in both modes, with its gradient, and torch if it is installed."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from mindone_tcd import cpu

from .cases import CASES, Case

# Relative to the largest value expected. The kernels sum up to 60 float32 products; each rounds by 6e-8, so 60 of
# them stay below 4e-6. A wrong formula (a missing term, tanh for erf, the wrong divisor) is off by more than 1e-4.
TOLERANCE = 1e-5
# A gradient passes through two kernels and is summed once more.
GRADIENT_TOLERANCE = 1e-4

by_label = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


def function_of(name: str):
    function = mint
    for part in name.split(".")[1:]:
        function = getattr(function, part)
    return function


def flat(result) -> list:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def assert_close(result, expected, tolerance=TOLERANCE):
    result, expected = flat(result), flat(expected)
    assert len(result) == len(expected)
    for got, want in zip(result, expected, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        assert got.shape == want.shape
        scale = max(np.abs(want).max(initial=0), 1e-3)
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)


def numbers(result) -> list[np.ndarray]:
    return [tensor.asnumpy() for tensor in flat(result)]


def doubles(case: Case) -> list[np.ndarray]:
    return [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.inputs()]


@by_label
def test_values_equal_numpy(case):
    result = case.call(function_of(case.name), *map(Tensor, case.inputs()))
    assert_close(numbers(result), case.expected(*doubles(case)))


FIRST = {case.name: case.label for case in reversed(CASES)}
"""The case of each function that plain pytest compiles. The others are marked slow."""


@pytest.mark.parametrize(
    "case",
    [case if FIRST[case.name] == case.label else pytest.param(case, marks=pytest.mark.slow) for case in CASES],
    ids=lambda case: case.label,
)
def test_compiles_to_the_same_values(case):
    if not case.graph:
        pytest.skip("the shape of the result depends on the values")
    function, second, options = function_of(case.name), case.second, case.options

    @ms.jit
    def compiled(first, *others):
        return function(first, *second, *others, **options)

    assert_close(numbers(compiled(*map(Tensor, case.inputs()))), case.expected(*doubles(case)))


@pytest.mark.parametrize("case", [case for case in CASES if case.gradient], ids=lambda case: case.label)
def test_gradients_equal_finite_differences(case):
    function = function_of(case.name)
    inputs, exact = case.inputs(), doubles(case)
    places = tuple(i for i, array in enumerate(inputs) if array.dtype == np.float32)
    source = np.random.default_rng(3)
    weights = [source.standard_normal(np.shape(out)) for out in flat(case.expected(*exact))]

    def loss(*tensors):
        total = 0.0
        for out, weight in zip(flat(case.call(function, *tensors)), weights, strict=True):
            total = total + (out * Tensor(weight, ms.float32)).sum()
        return total

    def exact_loss(arrays):
        return sum((out * weight).sum() for out, weight in zip(flat(case.expected(*arrays)), weights, strict=True))

    gradients = ms.grad(loss, places)(*map(Tensor, inputs))
    for place, gradient in zip(places, flat(gradients), strict=True):
        for _ in range(3):  # a wrong gradient is orthogonal to a random direction with probability 0
            direction = source.standard_normal(inputs[place].shape)
            step = 1e-6  # in float64: the error of central differences is about step² + 1e-16 / step
            ends = [
                exact_loss([a + sign * step * direction if i == place else a for i, a in enumerate(exact)])
                for sign in (1, -1)
            ]
            wanted = (ends[0] - ends[1]) / (2 * step)
            scale = np.abs(gradient.asnumpy() * direction).sum() + 1e-3
            assert abs((gradient.asnumpy() * direction).sum() - wanted) < GRADIENT_TOLERANCE * scale


@pytest.mark.parity
@by_label
def test_equals_torch_in_value_and_dtype(case):
    import torch

    function = torch
    for part in case.name.removeprefix("mint.").split("."):
        function = getattr(function, part)
    expected = flat(case.call(function, *map(torch.from_numpy, case.inputs())))
    result = flat(case.call(function_of(case.name), *map(Tensor, case.inputs())))
    assert [str(r.dtype).lower() for r in result] == [str(e.dtype).removeprefix("torch.") for e in expected]
    assert_close(numbers(result), [e.numpy() for e in expected])


def test_every_replaced_function_is_tested():
    elsewhere = {
        "mint.arange", "mint.linspace", "mint.full", "mint.empty", "mint.empty_like", "mint.stack",
        "mint.index_select", "mint.equal",
    }  # fmt: skip
    drawn = {"mint.randn", "mint.randn_like", "mint.rand", "mint.rand_like", "mint.randint", "mint.randperm"}
    functions = {name for name in cpu.replacements() if name.startswith("mint.") and not name.endswith(".construct")}
    assert functions - {case.name for case in CASES} == elsewhere | drawn | {"mint.normal"}


HALF = ["linear", "conv2d", "layer_norm", "group_norm", "gelu", "silu", "interpolate", "pad", "embedding"]


@pytest.mark.parametrize("name", HALF)
def test_float16_stays_float16(name):
    case = next(case for case in CASES if case.name == "mint.nn.functional." + name)
    halves = [a.astype(np.float16) if a.dtype == np.float32 else a for a in case.inputs()]
    result = case.call(function_of(case.name), *map(Tensor, halves))
    assert result.dtype == ms.float16
    # The inputs are rounded by 5e-4 each and so is every partial sum.
    assert_close(numbers(result), case.expected(*doubles(case)), 1e-2)
