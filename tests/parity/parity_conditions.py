"""Cases with an image as a condition (ControlNet, T2I-Adapter, IP-Adapter), and AnimateDiff."""

from parity_case import Canny, Case, Depth, Folder, Model, Normals, Photo, Several
from parity_text_to_image import EMBEDDED, ETA, NEGATIVE, PROMPT, PROMPTS, SD_EMBEDDED, XL_EMBEDDED, lcm, lora, tcd

FROM_TCD, FROM_LCM = {"prompt": PROMPT, "guidance_scale": 0, "eta": ETA}, {"prompt": PROMPT, "guidance_scale": 1.0}
FROM_EMBEDDED = {"prompt": PROMPT, "guidance_scale": 8.0, "num_inference_steps": 2}


def control(base: str, seed: int = 0) -> Model:
    return Model("ControlNetModel", Folder(f"controlnet-{base}", seed))


def t2i_adapter(seed: int = 0) -> Model:
    return Model("T2IAdapter", Folder("t2i-adapter-sdxl", seed))


XL = {"use": "ControlNet", "pipeline": "StableDiffusionXLControlNetPipeline", "base": "sdxl"}
SD = {"use": "ControlNet", "pipeline": "StableDiffusionControlNetPipeline", "base": "sd15"}
ADAPTER = {"use": "T2I-Adapter", "pipeline": "StableDiffusionXLAdapterPipeline", "base": "sdxl"}
ADAPTER_PARTS = {"adapter": t2i_adapter()}
IP = {"use": "IP-Adapter", "pipeline": "StableDiffusionXLPipeline", "base": "sdxl"}
MOTION = {"use": "AnimateDiff", "pipeline": "AnimateDiffPipeline", "base": "sd15"}
MOTION_PARTS = {"motion_adapter": Model("MotionAdapter", Folder("motion-adapter"))}
MOTION_FILE = {"weight_name": "diffusion_pytorch_model.safetensors", "adapter_name": "motion"}
MOTION_LORA = ("load_lora_weights", (Folder("motion-lora"),), MOTION_FILE)


def ip_adapter(
    file: str, scale, base: str = "sdxl", folder: str = "sdxl_models", encoder: str = "image_encoder"
) -> dict:
    options = {"subfolder": folder, "weight_name": file, "image_encoder_folder": encoder}
    load = ("load_ip_adapter", (Folder("ip-adapter"),), options)
    return {"method": "TCD-LoRA", "setup": (lora(base, 1, "tcd"), load, ("set_ip_adapter_scale", (scale,), {}))}


STYLE_ONLY = {"up": {"block_0": [0.0, 1.0, 0.0]}, "down": {"block_2": [0.0, 0.7]}}

CASES = {
    "sdxl-controlnet-tcd": Case(
        **XL,
        **tcd("sdxl"),
        parts={"controlnet": control("sdxl")},
        call=FROM_TCD | {"image": Canny(4), "controlnet_conditioning_scale": 0.5},
    ),
    "sdxl-controlnet-lcm": Case(
        **XL, **lcm("sdxl"), parts={"controlnet": control("sdxl")}, call=FROM_LCM | {"image": Depth(4)}
    ),
    "sdxl-two-controlnets-tcd": Case(
        **XL,
        **tcd("sdxl"),
        parts={"controlnet": [control("sdxl"), control("sdxl", 1)]},
        call=FROM_TCD | {"image": [Canny(4), Depth(4)], "controlnet_conditioning_scale": [0.4, 0.7]},
    ),
    "sdxl-controlnet-tcd-batch": Case(
        **XL,
        **tcd("sdxl"),
        parts={"controlnet": control("sdxl")},
        call={"prompt": PROMPTS, "negative_prompt": [NEGATIVE] * 2, "guidance_scale": 3.0, "eta": 0.3}
        | {"image": [Photo(4), Photo(5)], "num_inference_steps": 2},
        seeds=(3, 11),
    ),
    "sdxl-controlnet-guidance-embedding": Case(
        **XL,
        **EMBEDDED,
        parts={"controlnet": control("sdxl")} | XL_EMBEDDED,
        call=FROM_EMBEDDED | {"image": Canny(4)},
    ),
    "sd15-controlnet-lcm": Case(
        **SD, **lcm("sd15"), parts={"controlnet": control("sd15")}, call=FROM_LCM | {"image": Normals(4)}
    ),
    "sd15-controlnet-tcd-part-of-the-steps": Case(
        **SD,
        **tcd("sd15"),
        parts={"controlnet": control("sd15")},
        call=FROM_TCD | {"image": Normals(4), "control_guidance_start": 0.3, "control_guidance_end": 0.9},
    ),
    "sd15-controlnet-guess-mode": Case(
        **SD,
        **lcm("sd15"),
        parts={"controlnet": control("sd15")},
        call={"prompt": PROMPT, "image": Photo(4), "guidance_scale": 2.0, "guess_mode": True},
    ),
    "sd15-two-controlnets-lcm": Case(
        **SD,
        **lcm("sd15"),
        parts={"controlnet": [control("sd15"), control("sd15", 1)]},
        call=FROM_LCM | {"image": [Canny(4), Normals(4)], "controlnet_conditioning_scale": [1.0, 0.5]},
    ),
    "sd15-controlnet-guidance-embedding": Case(
        **SD,
        **EMBEDDED,
        parts={"controlnet": control("sd15")} | SD_EMBEDDED,
        call=FROM_EMBEDDED | {"image": Canny(4)},
    ),
    "sdxl-controlnet-img2img-tcd": Case(
        **XL | {"pipeline": "StableDiffusionXLControlNetImg2ImgPipeline"},
        **tcd("sdxl"),
        parts={"controlnet": control("sdxl")},
        call=FROM_TCD | {"image": Photo(1), "control_image": Depth(1), "strength": 0.7, "num_inference_steps": 4},
    ),
    "sdxl-controlnet-img2img-batch-of-streams": Case(
        **XL | {"pipeline": "StableDiffusionXLControlNetImg2ImgPipeline"},
        **tcd("sdxl"),
        parts={"controlnet": control("sdxl")},
        call=FROM_TCD
        | {"prompt": PROMPTS, "image": [Photo(1), Photo(2)], "control_image": [Photo(4), Photo(5)]}
        | {"strength": 0.7, "num_inference_steps": 4},
        seeds=(3, 11),
    ),
    "sd15-controlnet-img2img-lcm": Case(
        **SD | {"pipeline": "StableDiffusionControlNetImg2ImgPipeline"},
        **lcm("sd15"),
        parts={"controlnet": control("sd15")},
        call=FROM_LCM | {"image": Photo(1), "control_image": Canny(1), "strength": 0.7, "num_inference_steps": 4},
    ),
    "sd15-controlnet-img2img-batch-of-streams": Case(
        **SD | {"pipeline": "StableDiffusionControlNetImg2ImgPipeline"},
        **lcm("sd15"),
        parts={"controlnet": control("sd15")},
        call={"prompt": PROMPTS, "negative_prompt": [NEGATIVE] * 2, "guidance_scale": 2.0}
        | {"image": [Photo(1), Photo(2)], "control_image": [Photo(4), Photo(5)]}
        | {"strength": 0.7, "num_inference_steps": 4},
        seeds=(3, 11),
    ),
    "t2i-adapter-lcm": Case(
        **ADAPTER,
        **lcm("sdxl"),
        parts=ADAPTER_PARTS,
        call=FROM_LCM | {"image": Canny(4), "adapter_conditioning_scale": 0.8},
    ),
    "t2i-adapter-lcm-guided": Case(
        **ADAPTER,
        **lcm("sdxl"),
        parts=ADAPTER_PARTS,
        call={"prompt": PROMPT, "negative_prompt": NEGATIVE, "guidance_scale": 1.5, "image": Photo(4)}
        | {"num_images_per_prompt": 2},
        seeds=(3, 11),
    ),
    "t2i-adapter-part-of-the-steps": Case(
        **ADAPTER,
        **lcm("sdxl"),
        parts=ADAPTER_PARTS,
        call=FROM_LCM | {"image": Photo(4), "adapter_conditioning_factor": 0.5},
    ),
    "two-t2i-adapters-tcd": Case(
        **ADAPTER,
        **tcd("sdxl"),
        parts={"adapter": Several("MultiAdapter", (t2i_adapter(), t2i_adapter(1)))},
        call=FROM_TCD | {"image": [Canny(4), Depth(4)], "adapter_conditioning_scale": [0.4, 0.7]},
    ),
    "t2i-adapter-guidance-embedding": Case(
        **ADAPTER, **EMBEDDED, parts=ADAPTER_PARTS | XL_EMBEDDED, call=FROM_EMBEDDED | {"image": Canny(4)}
    ),
    "ip-adapter": Case(
        **IP, **ip_adapter("ip-adapter_sdxl.safetensors", 0.6), call=FROM_TCD | {"ip_adapter_image": Photo(6)}
    ),
    "ip-adapter-guided": Case(
        **IP,
        **ip_adapter("ip-adapter_sdxl.safetensors", 0.6),
        call={"prompt": PROMPT, "negative_prompt": NEGATIVE, "ip_adapter_image": Photo(6)}
        | {"guidance_scale": 3.0, "eta": 0.3, "num_images_per_prompt": 2},
        seeds=(3, 11),
    ),
    "ip-adapter-style-only": Case(
        **IP, **ip_adapter("ip-adapter_sdxl.safetensors", STYLE_ONLY), call=FROM_TCD | {"ip_adapter_image": Photo(6)}
    ),
    "ip-adapter-plus": Case(
        **IP,
        **ip_adapter("ip-adapter-plus_sdxl_vit-h.safetensors", 0.8, encoder="models/image_encoder"),
        call=FROM_TCD | {"ip_adapter_image": Photo(6)},
    ),
    "two-ip-adapters": Case(
        **IP,
        **ip_adapter(
            ["ip-adapter_sdxl_vit-h.safetensors", "ip-adapter-plus_sdxl_vit-h.safetensors"],
            [0.4, 0.7],
            encoder="models/image_encoder",
        ),
        call=FROM_TCD | {"ip_adapter_image": [Photo(6), [Photo(7), Photo(8)]]},
    ),
    "ip-adapter-sd15": Case(
        **IP | {"pipeline": "StableDiffusionPipeline", "base": "sd15"},
        **ip_adapter("ip-adapter_sd15.safetensors", 0.6, "sd15", "models"),
        call=FROM_TCD | {"ip_adapter_image": Photo(6)},
    ),
    "animatediff-tcd": Case(
        **MOTION,
        **tcd("sd15"),
        parts=MOTION_PARTS,
        call=FROM_TCD | {"num_frames": 3},
    ),
    "animatediff-tcd-guided": Case(
        **MOTION,
        **tcd("sd15"),
        parts=MOTION_PARTS,
        call={"prompt": PROMPT, "negative_prompt": NEGATIVE, "guidance_scale": 3.0, "eta": 0.3}
        | {"num_frames": 3, "num_inference_steps": 2},
    ),
    "animatediff-two-prompts": Case(
        **MOTION,
        **tcd("sd15"),
        parts=MOTION_PARTS,
        call=FROM_TCD | {"prompt": PROMPTS, "num_frames": 2, "num_inference_steps": 2},
        seeds=(3, 11),
    ),
    "animatediff-ip-adapter": Case(
        **MOTION,
        **ip_adapter("ip-adapter_sd15.safetensors", 0.6, "sd15", "models"),
        parts=MOTION_PARTS,
        call=FROM_TCD | {"num_frames": 2, "num_inference_steps": 2, "ip_adapter_image": Photo(6)},
    ),
    "animatediff-motion-lora": Case(
        **MOTION,
        method="TCD-LoRA, motion LoRA",
        setup=(lora("sd15", 1, "tcd"), MOTION_LORA, ("set_adapters", (["tcd", "motion"], [1.0, 1.2]), {})),
        parts=MOTION_PARTS,
        call=FROM_TCD | {"num_frames": 3, "num_inference_steps": 2},
    ),
}
