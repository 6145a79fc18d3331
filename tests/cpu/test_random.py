"""Random tensors: their distributions and their seeds."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

MANY = (200, 500)  # the mean of 1e5 values varies by 0.003 standard deviations; the bounds below allow 0.02


def test_distributions():
    normal, uniform = mint.randn(MANY).asnumpy(), mint.rand(MANY).asnumpy()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert abs(np.mean(normal**4) - 3) < 0.2
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.02
    integers = mint.randint(2, 5, MANY).asnumpy()
    assert integers.dtype == np.int64
    assert np.abs(np.bincount(integers.ravel())[2:] / integers.size - 1 / 3).max() < 0.02
    assert set(np.unique(mint.randint(2, (50,)).asnumpy())) == {0, 1}
    assert sorted(mint.randperm(9).asnumpy()) == list(range(9))
    shifted = mint.normal(3.0, 0.5, MANY).asnumpy()
    assert abs(shifted.mean() - 3) < 0.02
    assert abs(shifted.std() - 0.5) < 0.02


def test_shapes_and_dtypes():
    like = Tensor(np.zeros((2, 3)), ms.float16)
    assert mint.randn(2, 3).dtype == ms.float32
    assert mint.randn_like(like).dtype == mint.rand_like(like).dtype == ms.float16
    assert mint.rand((4,), dtype=ms.float64).dtype == ms.float64
    assert mint.normal(like, 1.0).shape == (2, 3)


def test_manual_seed_sets_the_seed_and_each_call_advances_it():
    ms.manual_seed(5)
    first, second = mint.randn(8).asnumpy(), mint.randn(8).asnumpy()
    assert not np.allclose(first, second)
    ms.manual_seed(5)
    np.testing.assert_array_equal(mint.randn(8).asnumpy(), first)
    state = ms.get_rng_state()
    np.testing.assert_array_equal(mint.randn(8).asnumpy(), second)
    ms.set_rng_state(state)
    np.testing.assert_array_equal(mint.randn(8).asnumpy(), second)


def test_a_separate_generator_is_independent():
    mine = ms.Generator()
    mine.manual_seed(5)
    ms.manual_seed(9)
    expected = mint.randn(4).asnumpy()
    ms.manual_seed(9)
    drawn = mint.randn(4, generator=mine).asnumpy()
    np.testing.assert_array_equal(mint.randn(4).asnumpy(), expected)
    mine.manual_seed(5)
    np.testing.assert_array_equal(mint.randn(4, generator=mine).asnumpy(), drawn)


def test_random_functions_are_refused_in_a_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a failed compilation leaves files behind

    def draw():
        return mint.randn(3)

    with pytest.raises(NotImplementedError, match=r"ms\.jit"):
        ms.jit(draw)()


def test_dropout_keeps_the_expectation():
    x = Tensor(np.ones(MANY, np.float32))
    y = mint.nn.functional.dropout(x, 0.25).asnumpy()
    assert set(np.unique(y).round(5)) == {0.0, np.float32(4 / 3).round(5)}
    assert abs(y.mean() - 1) < 0.02
    layer = mint.nn.Dropout(0.25)
    assert (layer.set_train(False)(x).asnumpy() == 1).all()
    assert (layer.set_train(True)(x).asnumpy() == 0).any()
