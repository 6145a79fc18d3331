"""One example from each TCD and LCM guide, as in the guide, with one additional line: `import mindone_tcd`.

    python guides.py mindone|mindone_tcd GUIDE ...

The first argument is the package that is imported first.
"""

import sys

if sys.argv[1] == "mindone":
    from mindone.diffusers import LCMScheduler as looked_up_early
    from mindone.diffusers import StableDiffusionXLPipeline as also_early  # noqa: F401

    import mindone_tcd
else:
    from mindone.diffusers import LCMScheduler as looked_up_early

    import mindone_tcd

import mindspore as ms
import numpy as np
from PIL import Image

GIVEN = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
MASK = Image.fromarray(np.uint8([[0, 255]]).repeat(64, 0).repeat(32, 1))


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed=seed))


def text_to_image():
    from mindone.diffusers import StableDiffusionXLPipeline, TCDScheduler

    base_model_id = "stabilityai/stable-diffusion-xl-base-1.0"
    tcd_lora_id = "h1t/TCD-SDXL-LoRA"

    pipe = StableDiffusionXLPipeline.from_pretrained(base_model_id, mindspore_dtype=ms.float16, variant="fp16")
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)

    pipe.load_lora_weights(tcd_lora_id)
    pipe.fuse_lora()

    prompt = "Painting of the orange cat Otto von Garfield, Count of Bismarck-Schönhausen."
    options = {"prompt": prompt, "num_inference_steps": 4, "guidance_scale": 0, "output_type": "np"}
    image = pipe(**options, eta=0.3, generator=generator())[0][0]
    without_eta = pipe(**options, generator=generator())[0][0]
    assert (image == without_eta).all(), "the scheduler's eta is not used"
    return pipe, image


def inpainting():
    from mindone.diffusers import AutoPipelineForInpainting, TCDScheduler

    pipe = AutoPipelineForInpainting.from_pretrained("diffusers/stable-diffusion-xl-1.0-inpainting-0.1")
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)

    pipe.load_lora_weights("h1t/TCD-SDXL-LoRA")
    pipe.fuse_lora()

    image = pipe(
        prompt="a tiger sitting on a park bench",
        image=GIVEN,
        mask_image=MASK,
        num_inference_steps=8,
        guidance_scale=0,
        eta=0.3,
        strength=0.99,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


def controlnet():
    from mindone.diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline, TCDScheduler

    controlnet = ControlNetModel.from_pretrained("diffusers/controlnet-canny-sdxl-1.0")
    pipe = StableDiffusionXLControlNetPipeline.from_pretrained(
        "stabilityai/stable-diffusion-xl-base-1.0", controlnet=controlnet
    )
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)

    pipe.load_lora_weights("h1t/TCD-SDXL-LoRA")
    pipe.fuse_lora()

    image = pipe(
        "ultrarealistic shot of a furry blue bird",
        image=GIVEN,
        num_inference_steps=4,
        guidance_scale=0,
        eta=0.3,
        controlnet_conditioning_scale=0.5,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


def t2i_adapter():
    from mindone.diffusers import LCMScheduler, StableDiffusionXLAdapterPipeline, T2IAdapter

    adapter = T2IAdapter.from_pretrained("TencentARC/t2i-adapter-canny-sdxl-1.0")
    pipe = StableDiffusionXLAdapterPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0", adapter=adapter)
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    pipe.load_lora_weights("latent-consistency/lcm-lora-sdxl")

    image = pipe(
        prompt="the mona lisa, 4k image, high quality",
        negative_prompt="extra digit, fewer digits, cropped, worst quality, low quality",
        image=GIVEN,
        num_inference_steps=4,
        guidance_scale=1.5,
        adapter_conditioning_scale=0.8,
        adapter_conditioning_factor=1,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


def ip_adapter():
    from mindone.diffusers import StableDiffusionXLPipeline, TCDScheduler

    pipe = StableDiffusionXLPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0")
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
    pipe.load_lora_weights("h1t/TCD-SDXL-LoRA")
    pipe.load_ip_adapter("h94/IP-Adapter", subfolder="sdxl_models", weight_name="ip-adapter_sdxl.safetensors")
    pipe.set_ip_adapter_scale(0.5)

    image = pipe(
        prompt="best quality, high quality, wearing sunglasses",
        ip_adapter_image=GIVEN,
        num_inference_steps=4,
        guidance_scale=0,
        eta=0.3,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


def animatediff():
    from mindone.diffusers import AnimateDiffPipeline, MotionAdapter, TCDScheduler
    from mindone.diffusers.utils import export_to_gif

    adapter = MotionAdapter.from_pretrained("guoyww/animatediff-motion-adapter-v1-5")
    pipe = AnimateDiffPipeline.from_pretrained("frankjoshua/toonyou_beta6", motion_adapter=adapter)
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)

    pipe.load_lora_weights("h1t/TCD-SD15-LoRA", adapter_name="tcd")
    pipe.load_lora_weights("guoyww/animatediff-motion-lora-zoom-in", adapter_name="motion-lora")
    pipe.set_adapters(["tcd", "motion-lora"], adapter_weights=[1.0, 1.2])

    frames = pipe(
        prompt="best quality, masterpiece, 1girl, looking at viewer",
        num_inference_steps=5,
        guidance_scale=0,
        num_frames=4,
        eta=0.3,
        generator=generator(),
        output_type="np",
    )[0][0]
    export_to_gif(frames, "animation.gif")
    return pipe, frames


def lcm_image_to_image():
    from mindone.diffusers import AutoPipelineForImage2Image, LCMScheduler, UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained("SimianLuo/LCM_Dreamshaper_v7", subfolder="unet")
    pipe = AutoPipelineForImage2Image.from_pretrained("Lykon/dreamshaper-7", unet=unet)
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)

    image = pipe(
        "Astronauts in a jungle, cold color palette, muted colors, detailed, 8k",
        image=GIVEN,
        num_inference_steps=4,
        guidance_scale=7.5,
        strength=0.5,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


def lcm_lora():
    from mindone.diffusers import DiffusionPipeline, LCMScheduler

    pipe = DiffusionPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0")
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)

    pipe.load_lora_weights("latent-consistency/lcm-lora-sdxl")

    image = pipe(
        prompt="Self-portrait oil painting, a beautiful cyborg with golden hair, 8k",
        num_inference_steps=4,
        guidance_scale=1.0,
        generator=generator(),
        output_type="np",
    )[0][0]
    return pipe, image


for name in sys.argv[2:]:
    pipe, image = globals()[name]()
    assert type(pipe.scheduler).__module__.startswith("mindone_tcd."), type(pipe.scheduler)
    assert np.isfinite(image).all(), name
    assert image.std() > 0, name
    print("ran", name, flush=True)
assert looked_up_early is mindone_tcd.LCMScheduler
