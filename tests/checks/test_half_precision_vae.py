"""A float16 autoencoder that overflows decodes and encodes in float32 instead of to black images."""

import warnings

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

import mindone_tcd
from mindone_tcd import AutoencoderKL
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.tiny_models import make


def overflowing():
    """The shipped autoencoder with a decoder that overflows."""
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float32)
    overflow(vae.decoder)
    return vae


def overflow(part, factor=3e4):
    """Cause values above 65504 between the first convolution of a coder and the normalization after it."""
    for parameter in (part.conv_in.weight, part.conv_in.bias):
        parameter.set_data(parameter * factor)


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(2)).standard_normal((1, 4, 4, 4)).astype(np.float32)


def test_it_decodes_in_float32_and_warns_once(latents):
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


def test_without_the_fallback_the_image_is_not_finite(latents):
    vae = overflowing()
    vae.to(ms.float16)
    assert not np.isfinite(type(vae).decode.__wrapped__(vae, ms.Tensor(latents, ms.float16))[0].asnumpy()).all()


def test_an_autoencoder_that_does_not_overflow_is_unchanged(latents, recwarn):
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float16)
    decoded = vae.decode(ms.Tensor(latents, ms.float16))[0]
    assert decoded.dtype == ms.float16
    assert not [w for w in recwarn if "float16" in str(w.message)]


@pytest.mark.parametrize("dtype", [ms.float16, ms.float32])
def test_latents_that_are_not_finite_do_not_change_the_autoencoder(latents, dtype, recwarn):
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=dtype)
    for broken in (latents * np.nan, latents * np.inf):
        with pytest.warns(UserWarning, match="latents are not finite .* the cause is the UNet or the scheduler"):
            decoded = vae.decode(ms.Tensor(broken, dtype))[0]
        assert decoded.dtype == dtype
    assert not [w for w in recwarn if "overflows" in str(w.message)]


def test_an_image_that_is_not_finite_does_not_change_the_autoencoder(recwarn):
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float16)
    vae.encode(ms.Tensor(np.full((1, 3, 16, 16), np.nan), ms.float16))
    assert not [w for w in recwarn if "overflows" in str(w.message)]


def test_it_encodes_in_float32_and_warns_once():
    vae = AutoencoderKL.from_pretrained(SHAPES_FOLDER / "vae", mindspore_dtype=ms.float32)
    overflow(vae.encoder, 2e5)
    image = np.random.Generator(np.random.PCG64(2)).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    expected = vae.encode(ms.Tensor(image))[0].asnumpy()
    vae.to(ms.float16)
    half = ms.Tensor(image, ms.float16)
    assert not np.isfinite(type(vae).encode.__wrapped__(vae, half)[0].asnumpy()).all()
    with pytest.warns(UserWarning, match="overflows in float16 .* encodes in float32"):
        first = vae.encode(half)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = vae.encode(half, return_dict=True).latent
    assert (vae.dtype, first.dtype, again.dtype) == (ms.float16,) * 3
    assert (first.asnumpy() == again.asnumpy()).all()
    # Weights, image and moments were rounded to float16's 11 bits.
    np.testing.assert_allclose(first.asnumpy(), expected, rtol=0.02, atol=0.03)


@pytest.fixture(scope="module")
def half_pipe(tmp_path_factory):
    folder = make("sd15", tmp_path_factory.mktemp("tiny") / "sd15")
    pipe = mindone_tcd.StableDiffusionImg2ImgPipeline.from_pretrained(str(folder), mindspore_dtype=ms.float16)
    pipe.scheduler = mindone_tcd.TCDScheduler.from_config(pipe.scheduler.config)
    return pipe


def from_image(pipe):
    pixels = np.random.Generator(np.random.PCG64(4)).integers(0, 256, (64, 64, 3), np.uint8)
    options = {"image": Image.fromarray(pixels), "strength": 0.5, "num_inference_steps": 2, "output_type": "np"}
    return pipe("a red circle", guidance_scale=0, generator=np.random.Generator(np.random.PCG64(5)), **options)[0]


def test_a_pipeline_with_an_overflowing_autoencoder_generates_images(half_pipe, monkeypatch):
    vae = AutoencoderKL.from_config(half_pipe.vae.config)
    ms.load_param_into_net(vae, half_pipe.vae.parameters_dict())
    vae.to(ms.float16)
    overflow(vae.encoder)
    overflow(vae.decoder)
    monkeypatch.setattr(half_pipe, "vae", vae)
    with pytest.warns(UserWarning, match="overflows in float16") as seen:
        image = from_image(half_pipe)
    said = [str(w.message) for w in seen if "overflows" in str(w.message)]
    assert [" encodes " in text for text in said] == [True, False]
    assert np.isfinite(image).all()
    assert image.std() > 0.01  # not black


def test_a_pipeline_with_an_overflowing_unet_warns(half_pipe, monkeypatch):
    unet, construct = half_pipe.unet, type(half_pipe.unet).construct

    def overflow_too(self, *args, **kwargs):
        return tuple(values * ms.Tensor(np.inf, ms.float16) for values in construct(self, *args, **kwargs))

    monkeypatch.setattr(type(unet), "construct", overflow_too)
    with pytest.warns(UserWarning, match="latents are not finite") as seen:
        from_image(half_pipe)
    assert not [w for w in seen if "overflows in" in str(w.message)]
