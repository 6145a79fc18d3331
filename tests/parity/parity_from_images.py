"""Image-to-image and inpainting."""

from parity_case import PIXELS, Case, Mask, Photo
from parity_text_to_image import EMBEDDED, ETA, NEGATIVE, PROMPT, PROMPTS, SD_EMBEDDED, XL_EMBEDDED, lcm, tcd

IMAGE = {"use": "image-to-image"}
XL = {**IMAGE, "pipeline": "StableDiffusionXLImg2ImgPipeline", "base": "sdxl"}
SD = {**IMAGE, "pipeline": "StableDiffusionImg2ImgPipeline", "base": "sd15"}
AUTO = {**IMAGE, "pipeline": "AutoPipelineForImage2Image"}
INPAINT = {"use": "inpainting"}
NINE = {**INPAINT, "pipeline": "StableDiffusionXLInpaintPipeline", "base": "sdxl-inpainting"}
FOUR = {**NINE, "base": "sdxl"}

FROM = {"prompt": PROMPT, "image": Photo(1), "num_inference_steps": 4, "strength": 0.6}
WITHIN = {"prompt": PROMPT, "image": Photo(1), "mask_image": Mask(), "num_inference_steps": 4, "strength": 0.99}
TWO_PHOTOS = {"prompt": PROMPTS, "image": [Photo(1), Photo(2)]}
TWO = TWO_PHOTOS | {"negative_prompt": [NEGATIVE] * 2}
GUIDED = {"guidance_scale": 3.0, "eta": 0.3}
SQUARE = {"width": PIXELS, "height": PIXELS}
PLAIN_TCD, PLAIN_LCM = {"guidance_scale": 0, "eta": ETA}, {"guidance_scale": 1.0}
FROM_EMBEDDED = {"guidance_scale": 8.0, "num_inference_steps": 3}

CASES = {
    "sdxl-img2img-tcd": Case(**XL, **tcd("sdxl"), call=FROM | PLAIN_TCD),
    "sdxl-img2img-tcd-batch": Case(**XL, **tcd("sdxl"), call=FROM | TWO | GUIDED | {"strength": 0.5}, seeds=7),
    "sdxl-img2img-tcd-batch-of-streams": Case(**XL, **tcd("sdxl"), call=FROM | TWO | GUIDED, seeds=(3, 11)),
    "sdxl-img2img-several-of-two-pictures": Case(
        **XL, **tcd("sdxl"), call=FROM | TWO_PHOTOS | PLAIN_TCD | {"num_images_per_prompt": 2}, seeds=(3, 11, 5, 2)
    ),
    "sdxl-img2img-lcm": Case(**XL, **lcm("sdxl"), call=FROM | PLAIN_LCM),
    "sdxl-img2img-guidance-embedding": Case(**XL, **EMBEDDED, parts=XL_EMBEDDED, call=FROM | FROM_EMBEDDED),
    "sd15-img2img-lcm": Case(**SD, **lcm("sd15"), call=FROM | PLAIN_LCM),
    "sd15-img2img-tcd": Case(**SD, **tcd("sd15"), call=FROM | PLAIN_TCD),
    "sd15-img2img-several-images": Case(
        **SD, **tcd("sd15"), call=FROM | PLAIN_TCD | {"num_images_per_prompt": 2}, seeds=7
    ),
    "sd15-img2img-several-images-of-streams": Case(
        **SD, **tcd("sd15"), call=FROM | PLAIN_TCD | {"num_images_per_prompt": 2}, seeds=(3, 11)
    ),
    "sd15-img2img-guidance-embedding": Case(**SD, **EMBEDDED, parts=SD_EMBEDDED, call=FROM | FROM_EMBEDDED),
    "lcm-img2img": Case(
        **IMAGE,
        **EMBEDDED | {"scheduler": None},
        pipeline="LatentConsistencyModelImg2ImgPipeline",
        base="lcm-sd15",
        call=FROM | {"guidance_scale": 8.5},
    ),
    "lcm-img2img-several-images-of-streams": Case(
        **IMAGE,
        **EMBEDDED | {"scheduler": None},
        pipeline="LatentConsistencyModelImg2ImgPipeline",
        base="lcm-sd15",
        call=FROM | {"guidance_scale": 8.5, "num_images_per_prompt": 2},
        seeds=(3, 11),
    ),
    "auto-img2img-lcm": Case(**AUTO, **lcm("sd15"), base="sd15", call=FROM | PLAIN_LCM),
    "auto-img2img-tcd": Case(**AUTO, **tcd("sdxl"), base="sdxl", call=FROM | PLAIN_TCD),
    "auto-img2img-from-pipe": Case(
        **AUTO,
        **tcd("sdxl"),
        base="sdxl",
        made_from="StableDiffusionXLPipeline",
        call=FROM | TWO | GUIDED,
        seeds=(3, 11),
    ),
    "auto-img2img-lcm-pipeline": Case(**AUTO, **EMBEDDED, base="lcm-sd15", call=FROM | {"guidance_scale": 4.0}),
    "auto-img2img-guidance-embedding": Case(
        **AUTO, **EMBEDDED, base="sdxl", parts=XL_EMBEDDED, call=FROM | FROM_EMBEDDED
    ),
    "sdxl-inpaint-9-channels-tcd": Case(**NINE, **tcd("sdxl"), call=WITHIN | PLAIN_TCD),
    "sdxl-inpaint-9-channels-tcd-batch": Case(
        **NINE, **tcd("sdxl"), call=WITHIN | TWO | GUIDED | {"mask_image": [Mask(), Mask()]}, seeds=7
    ),
    "sdxl-inpaint-9-channels-tcd-batch-of-streams": Case(
        **NINE,
        **tcd("sdxl"),
        call=WITHIN | TWO | GUIDED | {"mask_image": [Mask(), Mask()]},
        seeds=(3, 11),
    ),
    "sdxl-inpaint-4-channels-tcd": Case(**FOUR, **tcd("sdxl"), call=WITHIN | PLAIN_TCD),
    "sdxl-inpaint-4-channels-tcd-half": Case(**FOUR, **tcd("sdxl"), call=WITHIN | PLAIN_TCD | {"strength": 0.5}),
    "sdxl-inpaint-4-channels-several-images-of-streams": Case(
        **FOUR, **tcd("sdxl"), call=WITHIN | PLAIN_TCD | {"strength": 0.5, "num_images_per_prompt": 2}, seeds=(3, 11)
    ),
    "sdxl-inpaint-padding-mask-crop": Case(
        **FOUR, **tcd("sdxl"), call=WITHIN | PLAIN_TCD | {"padding_mask_crop": 4, "output_type": "pil"} | SQUARE
    ),
    "sdxl-inpaint-lcm": Case(**FOUR, **lcm("sdxl"), call=WITHIN | PLAIN_LCM),
    "sdxl-inpaint-guidance-embedding": Case(**FOUR, **EMBEDDED, parts=XL_EMBEDDED, call=WITHIN | FROM_EMBEDDED),
    "sd15-inpaint-lcm": Case(
        **INPAINT, **lcm("sd15"), pipeline="StableDiffusionInpaintPipeline", base="sd15", call=WITHIN | PLAIN_LCM
    ),
    "sd15-inpaint-lcm-batch-of-streams": Case(
        **INPAINT,
        **lcm("sd15"),
        pipeline="StableDiffusionInpaintPipeline",
        base="sd15",
        call=WITHIN | PLAIN_LCM | TWO_PHOTOS | {"mask_image": [Mask(), Mask()]},
        seeds=(3, 11),
    ),
    "sd15-inpaint-9-channels-lcm": Case(
        **INPAINT,
        **lcm("sd15"),
        pipeline="StableDiffusionInpaintPipeline",
        base="sd15-inpainting",
        call=WITHIN | PLAIN_LCM,
    ),
    "auto-inpaint-9-channels-lcm": Case(
        **INPAINT,
        **lcm("sd15"),
        pipeline="AutoPipelineForInpainting",
        base="sd15-inpainting",
        call=WITHIN | TWO | {"mask_image": [Mask(), Mask()], "guidance_scale": 2.0, "strength": 0.5},
        seeds=(3, 11),
    ),
    "auto-inpaint-tcd": Case(
        **INPAINT, **tcd("sdxl"), pipeline="AutoPipelineForInpainting", base="sdxl-inpainting", call=WITHIN | PLAIN_TCD
    ),
}
