"""The integers and scales of a weight, from the definition."""

import numpy as np
import pytest

from mindone_tcd.quantize.weights import dequantized, quantized


@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 3, 3), (1, 1), (3, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_error_is_at_most_half_a_scale(shape, dtype):
    weight = (np.random.default_rng(0).standard_normal(shape) * 3).astype(dtype)
    integers, scales = quantized(weight)
    assert integers.dtype == np.int8
    assert integers.shape == shape
    assert scales.dtype == np.float32
    assert scales.shape == shape[:1]
    error = abs(dequantized(integers, scales) - weight.astype(np.float32)).reshape(shape[0], -1)
    # The products and quotients are rounded to 24 bits.
    assert (error <= (0.5 + 127 * 2**-22) * scales[:, None]).all()


def test_each_channel_uses_the_whole_range_by_itself():
    weight = np.array([[1.0, -2.0, 0.5], [0.001, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    integers, scales = quantized(weight)
    assert integers.tolist() == [[64, -127, 32], [127, 0, 0], [0, 0, 0]]
    assert np.allclose(scales, [2 / 127, 0.001 / 127, 1])


def test_a_channel_too_small_for_a_scale_becomes_zero():
    integers, scales = quantized(np.full((1, 2), 1e-45, np.float32))
    assert integers.tolist() == [[0, 0]]
    assert scales.tolist() == [1]


def test_quantizing_again_changes_nothing():
    integers, scales = quantized(np.random.default_rng(1).standard_normal((6, 9)).astype(np.float32))
    again, same = quantized(dequantized(integers, scales))
    assert (again == integers).all()
    assert np.allclose(same, scales, rtol=1e-6)
