"""T2I-Adapter for a part of the steps."""

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.random import generator

from .. import models

STEPS = 2


@pytest.fixture(scope="module")
def pipe():
    from mindone.diffusers import StableDiffusionXLAdapterPipeline, T2IAdapter

    adapter = T2IAdapter(channels=(8, 16, 16, 16), num_res_blocks=1, downscale_factor=4, adapter_type="full_adapter_xl")
    parts = models.make_pipeline().components
    parts = {name: part for name, part in parts.items() if part is not None and name != "image_encoder"}
    made = StableDiffusionXLAdapterPipeline(**parts, adapter=models.refill(adapter, 6))
    made.set_progress_bar_config(disable=True)
    return made


def run(pipe, factor, monkeypatch):
    """The final latents, and for each step whether the UNet got the residuals of the adapter."""
    given, construct = [], type(pipe.unet).construct

    def note(self, *args, **kwargs):
        given.append(kwargs["down_intrablock_additional_residuals"] is not None)
        return construct(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(pipe.unet), "construct", note)
        latents = pipe(
            "a red circle",
            image=ms.Tensor(models.normal(1, 3, 16, 16)),
            num_inference_steps=STEPS,
            guidance_scale=0.0,
            adapter_conditioning_factor=factor,
            height=16,
            width=16,
            generator=generator(0),
            output_type="latent",
        )[0]
    return latents.asnumpy(), given


@pytest.mark.slow  # plain pytest compares such a case with diffusers: t2i-adapter-part-of-the-steps
def test_the_last_steps_run_without_the_adapter(pipe, monkeypatch):
    whole, given = run(pipe, 1.0, monkeypatch)
    assert given == [True, True]
    half, given = run(pipe, 0.5, monkeypatch)
    assert given == [True, False]
    none, given = run(pipe, 0.0, monkeypatch)
    assert given == [False, False]
    assert np.isfinite(half).all()
    assert np.abs(half - whole).max() > 1e-3
    assert np.abs(half - none).max() > 1e-3
