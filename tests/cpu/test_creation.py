"""Tensors from numbers, and functions without a float array as input."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

NUMBERS = [
    ("arange", (5,), {}, np.arange(5)),
    ("arange", (2, 11, 3), {}, np.arange(2, 11, 3)),
    ("arange", (5, 0, -2), {}, np.arange(5, 0, -2)),
    ("arange", (0, 1, 0.1), {}, np.arange(0, 1, 0.1, np.float32)),
    ("arange", (3.0,), {}, np.arange(3, dtype=np.float32)),
    ("arange", (), {"start": 0, "end": 4, "dtype": ms.float32}, np.arange(4, dtype=np.float32)),
    ("arange", (2, 2), {}, np.arange(0)),
    ("linspace", (0, 1, 5), {}, np.linspace(0, 1, 5, dtype=np.float32)),
    ("linspace", (0, 9, 4), {"dtype": ms.int64}, np.array([0, 3, 6, 9])),
    ("full", ((2, 3), 1.5), {}, np.full((2, 3), 1.5, np.float32)),
    ("full", ((2,), 7), {}, np.full(2, 7)),
    ("full", ((2,), True), {}, np.full(2, True)),
    ("full", ((2, 2), float("-inf")), {"dtype": ms.float16}, np.full((2, 2), -np.inf, np.float16)),
]


@pytest.mark.parametrize(("name", "given", "options", "expected"), NUMBERS)
@pytest.mark.parametrize("compiled", [False, True], ids=["pynative", "graph"])
def test_numbers_become_tensors(name, given, options, expected, compiled):
    function = getattr(mint, name)

    def make():
        return function(*given, **options)

    result = (ms.jit(make) if compiled else make)().asnumpy()
    assert result.dtype == expected.dtype
    # linspace and arange compute in float64 and round once, so they differ by at most one float32 rounding.
    np.testing.assert_allclose(result, expected, rtol=1.2e-7, atol=1e-8)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["arange", "linspace", "full"])
def test_values_and_dtypes_are_torchs(name):
    import torch

    for kind, given, options, _ in NUMBERS:
        if kind != name:
            continue
        options = {
            key: getattr(torch, str(value).lower()) if key == "dtype" else value for key, value in options.items()
        }
        expected = getattr(torch, name)(*given, **options).numpy()
        options = {
            key: getattr(ms, str(value).removeprefix("torch.")) if key == "dtype" else value
            for key, value in options.items()
        }
        result = getattr(mint, name)(*given, **options).asnumpy()
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=1.2e-7, atol=1e-7)  # one rounding


def test_tensors_are_accepted_as_numbers():
    assert mint.arange(Tensor(3)).asnumpy().tolist() == [0, 1, 2]
    assert mint.full((2,), Tensor(1.5)).asnumpy().tolist() == [1.5, 1.5]


def test_empty_has_the_shape_and_dtype():
    assert mint.empty(2, 3).shape == (2, 3)
    assert mint.empty((4,), dtype=ms.int32).dtype == ms.int32
    assert mint.empty_like(Tensor([1, 2])).dtype == ms.int64


def test_stack_and_index_select():
    a, b = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.ones((2, 3), np.float32)
    for dim in (0, 1, -1):
        np.testing.assert_array_equal(mint.stack([Tensor(a), Tensor(b)], dim=dim).asnumpy(), np.stack([a, b], dim))
    picked = mint.index_select(Tensor(a), -1, Tensor([2, 0, 2]))
    np.testing.assert_array_equal(picked.asnumpy(), a[:, [2, 0, 2]])
    gradient = ms.grad(lambda x: (mint.stack([x, 2 * x]) * mint.stack([x, x])).sum())(Tensor(a))
    np.testing.assert_allclose(gradient.asnumpy(), 6 * a)


def test_equal_compares_shapes_and_values():
    assert mint.equal(Tensor([1, 2]), Tensor([1, 2])) is True
    assert mint.equal(Tensor([1, 2]), Tensor([1, 3])) is False
    assert mint.equal(Tensor([1, 1]), Tensor([1])) is False


def test_tensor_repeat_and_repeat_interleave():
    x = Tensor([[1, 2], [3, 4]])
    assert x.repeat(1, 2).asnumpy().tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]
    assert x.repeat_interleave(2, dim=0, output_size=4).asnumpy().tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert x.roll(1, 0).asnumpy().tolist() == [[3, 4], [1, 2]]
