"""Decode the denoised latents of each step into an image, while a pipeline runs."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ..shapes.models import MODELS, model
from .loaded import LoadedPipeline

TINY_VAE = "tiny-vae"


class Preview:
    """Decodes latents, with the tiny autoencoder if the model is shipped and not exported, else with the pipeline's.

    Args:
        loaded: the pipeline.
    """

    def __init__(self, loaded: LoadedPipeline) -> None:
        self._pipe = loaded.pipeline
        self._tiny = None
        self._exported = loaded.setup.exported is not None
        if self._exported:
            return
        if loaded.model.shipped and TINY_VAE in MODELS:
            from mindone.diffusers import AutoencoderTiny

            self._tiny = AutoencoderTiny.from_pretrained(model(TINY_VAE), mindspore_dtype=loaded.pipeline.unet.dtype)

    def __call__(self, latents: Any) -> list[Image.Image]:
        """Return an image for each sample of latents (N, C, H, W); for clips (N, C, F, H, W), of the first frames."""
        if self._exported:
            return self._pipe.decode(latents)
        if latents.ndim == 5:
            latents = latents[:, :, 0]
        vae = self._tiny or self._pipe.vae
        pixels = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
        processor = getattr(self._pipe, "image_processor", None) or self._pipe.video_processor
        return processor.postprocess(pixels, output_type="pil")
