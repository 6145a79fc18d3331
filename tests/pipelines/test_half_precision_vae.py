"""A float16 autoencoder that overflows decodes in float32 instead of to black pictures."""

import warnings

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd import AutoencoderKL
from mindone_tcd.pipelines.recipes import SHAPES_FOLDER


def overflowing():
    """The shipped autoencoder with values beyond 65504 between a convolution and the normalization behind it."""
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float32)
    for parameter in (vae.decoder.conv_in.weight, vae.decoder.conv_in.bias):
        parameter.set_data(parameter * 3e4)
    return vae


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(2)).standard_normal((1, 4, 4, 4)).astype(np.float32)


def test_it_decodes_in_float32_and_says_so_once(latents):
    vae = overflowing()
    expected = vae.decode(ms.Tensor(latents))[0].asnumpy()
    vae.to(ms.float16)
    with pytest.warns(UserWarning, match="overflows in float16"):
        first = vae.decode(ms.Tensor(latents, ms.float16))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = vae.decode(ms.Tensor(latents, ms.float16), return_dict=True).sample
    assert vae.dtype == ms.float16
    assert np.isfinite(first.asnumpy()).all()
    assert (first.asnumpy() == again.asnumpy()).all()
    # Weights and latents were rounded to float16's 11 bits.
    np.testing.assert_allclose(first.asnumpy(), expected, rtol=0, atol=0.03)


def test_the_fall_back_is_needed(latents):
    vae = overflowing()
    vae.to(ms.float16)
    assert not np.isfinite(type(vae).decode.__wrapped__(vae, ms.Tensor(latents, ms.float16))[0].asnumpy()).all()


def test_a_sound_autoencoder_is_left_alone(latents, recwarn):
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float16)
    decoded = vae.decode(ms.Tensor(latents, ms.float16))[0]
    assert decoded.dtype == ms.float16
    assert not [w for w in recwarn if "float16" in str(w.message)]


def test_latents_that_are_no_numbers_are_not_the_autoencoders_fault(latents, recwarn):
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float16)
    decoded = vae.decode(ms.Tensor(latents * np.nan, ms.float16))[0]
    assert decoded.dtype == ms.float16
    assert not [w for w in recwarn if "float16" in str(w.message)]
