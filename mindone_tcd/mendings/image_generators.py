"""Image-to-image and inpainting with a list of generators: each given picture is encoded with its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..replacing import rewrite


def own_generator(original: Callable) -> Callable:
    """Place i of the given pictures draws from generator i, where mindone hands the whole list to each."""
    return rewrite(
        original,
        r"(\.encode\(image\[i : i \+ 1\]\)\[0\], generator)\)",
        r"\1[i])",
        "with a generator for each picture",
    )


def own_picture(original: Callable) -> Callable:
    """:func:`own_generator` for a `prepare_latents` that encodes a picture for each place of the batch.

    Fewer given pictures are repeated first, as diffusers does, so that each place has one.
    """
    mended = own_generator(original)
    if mended is original:
        return original
    signature = inspect.signature(original)

    @functools.wraps(mended)
    def prepare_latents(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        if isinstance(given.get("generator"), list):
            given["image"] = _repeated(given["image"], given["batch_size"] * given["num_images_per_prompt"])
        return mended(*call.args, **call.kwargs)

    return prepare_latents


def _repeated(image: Any, count: int) -> Any:
    from mindspore import Tensor

    # Four channels are latents: they are not encoded, and mindone repeats them itself.
    if not isinstance(image, Tensor) or image.shape[1] == 4 or image.shape[0] >= count:
        return image
    if count % image.shape[0]:
        raise UsageError(
            f"{image.shape[0]} given pictures for a batch of {count} images: "
            f"give one, or as many as there are images, or a number that divides {count}"
        )
    return image.tile((count // image.shape[0], 1, 1, 1))


_PREPARE = (
    "stable_diffusion.pipeline_stable_diffusion_img2img:StableDiffusionImg2ImgPipeline",
    "stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img:StableDiffusionXLImg2ImgPipeline",
    "latent_consistency_models.pipeline_latent_consistency_img2img:LatentConsistencyModelImg2ImgPipeline",
    "controlnet.pipeline_controlnet_img2img:StableDiffusionControlNetImg2ImgPipeline",
    "controlnet.pipeline_controlnet_sd_xl_img2img:StableDiffusionXLControlNetImg2ImgPipeline",
    "controlnet.pipeline_controlnet_union_sd_xl_img2img:StableDiffusionXLControlNetUnionImg2ImgPipeline",
    "pag.pipeline_pag_sd_xl_img2img:StableDiffusionXLPAGImg2ImgPipeline",
)
# Here the given pictures are encoded as they are, and their latents repeated, in diffusers too.
_ENCODE = (
    "stable_diffusion.pipeline_stable_diffusion_inpaint:StableDiffusionInpaintPipeline",
    "stable_diffusion_xl.pipeline_stable_diffusion_xl_inpaint:StableDiffusionXLInpaintPipeline",
    "controlnet.pipeline_controlnet_inpaint:StableDiffusionControlNetInpaintPipeline",
    "controlnet.pipeline_controlnet_inpaint_sd_xl:StableDiffusionXLControlNetInpaintPipeline",
    "controlnet.pipeline_controlnet_union_inpaint_sd_xl:StableDiffusionXLControlNetUnionInpaintPipeline",
    "pag.pipeline_pag_sd_inpaint:StableDiffusionPAGInpaintPipeline",
    "pag.pipeline_pag_sd_xl_inpaint:StableDiffusionXLPAGInpaintPipeline",
)

REPLACED: dict[str, Callable] = {
    f"mindone.diffusers.pipelines.{name}.{method}": make
    for names, method, make in (
        (_PREPARE, "prepare_latents", own_picture),
        (_ENCODE, "_encode_vae_image", own_generator),
    )
    for name in names
}
