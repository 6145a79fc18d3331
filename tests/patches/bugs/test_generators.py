"""Noise with a list of generators."""

import mindspore as ms
import numpy as np
import pytest
from mindone.diffusers.utils.mindspore_utils import randn_tensor

from mindone_tcd.random import generators, standard_normal


@pytest.mark.parametrize("kind", [tuple, list])
def test_one_generator_for_each_image(kind):
    found = randn_tensor(kind((2, 3, 4)), generators(5, 2), ms.float32).asnumpy()
    np.testing.assert_array_equal(found, standard_normal((2, 3, 4), generators(5, 2)).astype(np.float32))


def test_a_list_of_one_generator_serves_all_images():
    found = randn_tensor((2, 3), generators(5, 1), ms.float32).asnumpy()
    np.testing.assert_array_equal(found, standard_normal((2, 3), generators(5, 1)[0]).astype(np.float32))


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_list_of_another_length_is_refused(count):
    with pytest.raises(ValueError, match=f"{count} generators for a batch of 3"):
        randn_tensor((3, 2), [*generators(0, 4)][:count], ms.float32)


def test_objects_that_are_no_generators_are_refused():
    with pytest.raises(TypeError, match=r"expected np\.random\.Generator"):
        randn_tensor((1, 2), ms.Generator(), ms.float32)


def test_pipelines_use_the_patched_function():
    from mindone.diffusers.pipelines.animatediff import pipeline_animatediff

    with pytest.raises(ValueError, match="3 generators for a batch of 2"):
        pipeline_animatediff.randn_tensor((2, 2), generators(0, 3))
