"""Input images of image-to-image and inpainting, each encoded with its own generator."""

import importlib
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd import TCDScheduler, UsageError
from mindone_tcd.patches.bugs import image_generators
from mindone_tcd.patches.table import PATCHES
from mindone_tcd.patching import PatchError
from mindone_tcd.random import generators

from .. import models

TARGETS = next(patch for patch in PATCHES if patch.name == "generators of given images").targets
PREPARING = [name for name in TARGETS if name.endswith(".prepare_latents")]
ENCODING = [name for name in TARGETS if name.endswith("._encode_vae_image")]


def method(name):
    module, _, path = name.partition(":")
    cls, _, attribute = path.partition(".")
    return getattr(getattr(importlib.import_module(module), cls), attribute)


def one_of(names):
    """Return the cases. Plain pytest runs the first. The same patch fixes the others, which are marked slow."""
    return [names[0], *(pytest.param(name, marks=pytest.mark.slow) for name in names[1:])]


def class_name(name):
    return name.rpartition(":")[2].partition(".")[0]


@pytest.fixture(scope="module")
def pipe():
    """An object with the attributes of a pipeline that the tested methods use."""
    from mindone.diffusers import AutoencoderKL

    return SimpleNamespace(vae=models.refill(AutoencoderKL(**models.VAE), 1), scheduler=TCDScheduler())


def photos(count):
    return ms.Tensor(models.normal(count, 3, 16, 16))


def prepare(name, pipe, image, streams, prompts=1):
    """Noisy latents of `len(streams)` images."""
    each = len(streams) // prompts
    timestep = ms.Tensor([499] * len(streams))
    return method(name)(pipe, image, timestep, prompts, each, ms.float32, streams).asnumpy()


def alone(name, pipe, image, seed):
    """The same for each input image alone: position k of the batch has the seed `seed + k`."""
    made = [prepare(name, pipe, image[k : k + 1], generators(seed + k, 1)) for k in range(image.shape[0])]
    return np.concatenate(made)


@pytest.mark.parametrize("name", PREPARING, ids=class_name)
def test_each_image_equals_the_image_generated_alone(name, pipe):
    image = photos(2)
    found = prepare(name, pipe, image, generators(5, 2), prompts=2)
    np.testing.assert_allclose(found, alone(name, pipe, image, 5), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", one_of(PREPARING), ids=class_name)
def test_one_image_is_repeated_before_it_is_encoded(name, pipe):
    image = photos(1)
    found = prepare(name, pipe, image, generators(5, 3))
    repeated = ms.Tensor(np.repeat(image.asnumpy(), 3, 0))
    np.testing.assert_allclose(found, alone(name, pipe, repeated, 5), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ENCODING, ids=class_name)
def test_inpainting_encodes_each_image_as_if_alone(name, pipe):
    image, encode = photos(2), method(name)
    found = encode(pipe, image, generators(5, 2)).asnumpy()
    for k in range(2):
        one = encode(pipe, image[k : k + 1], generators(5 + k, 1)[0]).asnumpy()
        np.testing.assert_allclose(found[k : k + 1], one, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", one_of(ENCODING), ids=class_name)
def test_inpainting_of_one_image_uses_the_first_generator(name, pipe):
    image, encode, streams = photos(1), method(name), generators(5, 2)
    found = encode(pipe, image, streams).asnumpy()
    np.testing.assert_array_equal(found, encode(pipe, image, generators(5, 1)[0]).asnumpy())
    assert streams[1].standard_normal() == generators(6, 1)[0].standard_normal()


def test_two_input_images_alternate_in_a_larger_batch(pipe):
    image = photos(2)
    found = prepare(PREPARING[0], pipe, image, generators(5, 4), prompts=2)
    turns = ms.Tensor(np.concatenate([image.asnumpy()] * 2))
    np.testing.assert_allclose(found, alone(PREPARING[0], pipe, turns, 5), rtol=0, atol=1e-5)


def test_latents_as_input_are_not_encoded(pipe):
    latents = ms.Tensor(models.normal(1, 4, 8, 8))
    found = prepare(PREPARING[0], pipe, latents, generators(5, 2))
    repeated = ms.Tensor(np.repeat(latents.asnumpy(), 2, 0))
    np.testing.assert_array_equal(found, prepare(PREPARING[0], pipe, repeated, generators(5, 2), prompts=2))


def test_images_that_do_not_divide_the_batch_are_refused(pipe):
    with pytest.raises(UsageError, match="2 input images for a batch of 3 images"):
        prepare(PREPARING[0], pipe, photos(2), generators(5, 3))


def test_the_rewrite_does_not_match_correct_code():
    def prepare_latents(self, image, generator):
        return [self.encode(image[i : i + 1], generator=generator[i]) for i in range(2)]

    for make in (image_generators.own_image, image_generators.own_generator):
        with pytest.raises(PatchError, match="nothing that matches"):
            make(prepare_latents)
