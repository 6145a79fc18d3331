import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.random import generator, generators, randn, standard_normal

SHAPE = (3, 4, 2, 2)


@pytest.mark.parametrize("dtype", [ms.float32, ms.float16, ms.float64])
@pytest.mark.parametrize("make", [lambda: generator(5), lambda: [generator(5), generator(6), generator(7)]])
def test_the_numbers_equal_those_of_mindone(dtype, make):
    from mindone.diffusers.utils import mindspore_utils

    theirs = make()
    if isinstance(theirs, list):  # NumPy joins them, because mindone's own code needs a kernel that a CPU may lack
        parts = [mindspore_utils.randn_tensor((1, *SHAPE[1:]), one, dtype).asnumpy() for one in theirs]
        theirs = np.concatenate(parts)
    else:
        theirs = mindspore_utils.randn_tensor(SHAPE, theirs, dtype).asnumpy()
    ours = randn(SHAPE, make(), dtype)
    assert ours.dtype == dtype
    assert np.array_equal(ours.asnumpy(), theirs)


def test_numbers_of_a_seed_never_change():
    np.testing.assert_array_equal(
        standard_normal((3,), generator(0)), np.random.Generator(np.random.PCG64(0)).standard_normal(3)
    )
    assert standard_normal((2,), generator(0))[0] == pytest.approx(0.12573022, abs=1e-8)


def test_bfloat16():
    exact = standard_normal(SHAPE, generator(0))
    assert np.abs(randn(SHAPE, generator(0), ms.bfloat16).astype(ms.float32).asnumpy() - exact).max() < 0.01


def test_each_image_has_its_own_stream():
    together = standard_normal(SHAPE, generators(5, 3))
    for place in range(3):
        assert np.array_equal(together[place], standard_normal((1, *SHAPE[1:]), generator(5 + place))[0])
    assert np.array_equal(standard_normal(SHAPE, tuple(generators(5, 3))), together)


def test_without_a_generator_every_call_differs():
    assert not np.array_equal(standard_normal(SHAPE), standard_normal(SHAPE))


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_list_of_the_wrong_length_is_refused(count):
    with pytest.raises(ValueError, match=f"{count} generators for a batch of 3"):
        standard_normal(SHAPE, [generator(0)] * count)


@pytest.mark.parametrize("wrong", [3, "seed", [generator(0), generator(0), 7]])
def test_other_generators_are_refused(wrong):
    with pytest.raises(TypeError, match=r"expected np\.random\.Generator"):
        standard_normal(SHAPE, wrong)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="seed is"):
        generator(seed)


@pytest.mark.parametrize("count", [0, 1.5, None])
def test_bad_counts_are_refused(count):
    with pytest.raises(ValueError, match="count is"):
        generators(0, count)
