"""The trained models of the package, in the combinations that `load` builds."""

from parity_case import Case, Drawing, DrawingMask, Model, Shipped

PROMPT = "a red star on a green background"
SCENE = "a large white star on a blue background"
FILE = {"weight_name": "pytorch_lora_weights.safetensors"}


def lora(name: str) -> tuple[str, tuple, dict]:
    """A call that loads one of the package's LoRAs."""
    return "load_lora_weights", (Shipped(f"{name}-lora"),), {**FILE, "adapter_name": name}


STYLE = ("load_lora_weights", (Shipped("style-badge"),), {**FILE, "adapter_name": "style"})
IP = ("load_ip_adapter", (Shipped("ip-adapter"),))
IP_FILE = {"subfolder": "sdxl_models", "weight_name": "ip-adapter_sdxl.safetensors"}
TCD = {"method": "TCD-LoRA", "scheduler": "TCDScheduler"}
LCM = {"method": "LCM-LoRA", "scheduler": "LCMScheduler"}
TCD_CALL = {"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3, "num_inference_steps": 4}
LCM_CALL = {"prompt": PROMPT, "guidance_scale": 1.0, "num_inference_steps": 4}


SD15_LCM = ("load_lora_weights", (Shipped("sd15-lcm-lora"),), {**FILE, "adapter_name": "lcm"})
SD15_TCD = ("load_lora_weights", (Shipped("sd15-tcd-lora"),), {**FILE, "adapter_name": "tcd"})
MOTION = {"motion_adapter": Model("MotionAdapter", Shipped("motion-adapter"))}
ZOOM_FILE = {"weight_name": "diffusion_pytorch_model.safetensors", "adapter_name": "motion"}
ZOOM = ("load_lora_weights", (Shipped("motion-zoom-in"),), ZOOM_FILE)
CLIP = {"num_frames": 8, "num_inference_steps": 5}


def family(pipeline: str, base: str = "shapes") -> dict:
    return {"use": "trained models", "pipeline": pipeline, "base": Shipped(base)}


XL = family("StableDiffusionXLPipeline")
CONTROL = family("StableDiffusionXLControlNetPipeline")
ADAPTER = family("StableDiffusionXLAdapterPipeline")


def control(kind: str) -> dict:
    return {"controlnet": Model("ControlNetModel", Shipped(f"controlnet-{kind}"))}


CASES = {
    "shapes-controlnet-canny-tcd": Case(
        **CONTROL,
        **TCD,
        setup=(lora("tcd"),),
        parts=control("canny"),
        call=TCD_CALL | {"image": Drawing(SCENE, "edges")},
    ),
    "shapes-controlnet-depth-tcd": Case(
        **CONTROL,
        **TCD,
        setup=(lora("tcd"),),
        parts=control("depth"),
        call=TCD_CALL | {"image": Drawing(SCENE, "depth")},
    ),
    "shapes-controlnet-canny-lcm": Case(
        **CONTROL,
        **LCM,
        setup=(lora("lcm"),),
        parts=control("canny"),
        call=LCM_CALL | {"image": Drawing(SCENE, "edges")},
    ),
    "shapes-controlnet-ip-adapter-style": Case(
        **CONTROL,
        **TCD,
        setup=(lora("tcd"), STYLE, ("set_adapters", (["tcd", "style"], [1.0, 0.8]), {}), (*IP, IP_FILE)),
        parts=control("canny"),
        call=TCD_CALL | {"image": Drawing(SCENE, "edges"), "ip_adapter_image": Drawing(SCENE)},
    ),
    "shapes-controlnet-image-to-image": Case(
        **family("StableDiffusionXLControlNetImg2ImgPipeline"),
        **TCD,
        setup=(lora("tcd"),),
        parts=control("canny"),
        call=TCD_CALL
        | {"image": Drawing(SCENE), "control_image": Drawing(SCENE, "edges"), "strength": 0.75}
        | {"controlnet_conditioning_scale": 1.0},
    ),
    "shapes-t2i-canny-tcd": Case(
        **ADAPTER,
        **TCD,
        setup=(lora("tcd"),),
        parts={"adapter": Model("T2IAdapter", Shipped("t2i-canny"))},
        call=TCD_CALL | {"image": Drawing(SCENE, "edges")},
    ),
    "shapes-t2i-canny-lcm": Case(
        **ADAPTER,
        **LCM,
        setup=(lora("lcm"),),
        parts={"adapter": Model("T2IAdapter", Shipped("t2i-canny"))},
        call=LCM_CALL | {"image": Drawing(SCENE, "edges")},
    ),
    "shapes-inpainting-tcd": Case(
        **family("StableDiffusionXLInpaintPipeline", "shapes-inpainting"),
        **TCD,
        setup=(lora("tcd"),),
        call=TCD_CALL
        | {"image": Drawing(SCENE), "mask_image": DrawingMask(), "strength": 1.0, "height": 128, "width": 128},
    ),
    "shapes-ip-adapter-tcd": Case(
        **XL,
        **TCD,
        setup=(lora("tcd"), (*IP, IP_FILE), ("set_ip_adapter_scale", (1.0,), {})),
        call=TCD_CALL | {"prompt": "", "ip_adapter_image": Drawing(SCENE)},
    ),
    "shapes-style-tcd": Case(
        **XL,
        **TCD,
        setup=(lora("tcd"), STYLE, ("set_adapters", (["tcd", "style"], [1.0, 1.0]), {})),
        call=TCD_CALL,
    ),
    "shapes-style-lcm": Case(
        **XL,
        **LCM,
        setup=(lora("lcm"), STYLE, ("set_adapters", (["lcm", "style"], [1.0, 1.0]), {})),
        call=LCM_CALL,
    ),
    "shapes-guidance-embedding": Case(
        **family("StableDiffusionXLPipeline", "shapes-lcm"),
        method="guidance embedding",
        scheduler="LCMScheduler",
        # The embedding is the sine of 1000 (w - 1) in float32. At w = 8, both frameworks are 4e-4 from the exact value,
        # and the images differ by 3e-5.
        call=LCM_CALL | {"guidance_scale": 3.0},
    ),
    "shapes-tiny-vae": Case(
        **XL,
        **TCD,
        setup=(lora("tcd"),),
        parts={"vae": Model("AutoencoderTiny", Shipped("tiny-vae"))},
        call=TCD_CALL,
    ),
    "shapes-sd15-tcd": Case(
        **family("StableDiffusionPipeline", "shapes-sd15"),
        **TCD,
        setup=(SD15_TCD,),
        call=TCD_CALL,
    ),
    "shapes-sd15-lcm": Case(
        **family("StableDiffusionPipeline", "shapes-sd15"),
        **LCM,
        setup=(SD15_LCM,),
        call=LCM_CALL,
    ),
    "shapes-sd15-guidance-embedding": Case(
        **family("LatentConsistencyModelPipeline", "shapes-sd15-lcm"),
        method="guidance embedding",
        scheduler="LCMScheduler",
        call=LCM_CALL | {"guidance_scale": 3.0},
    ),
    "shapes-controlnet-normal-lcm": Case(
        **family("StableDiffusionControlNetPipeline", "shapes-sd15"),
        **LCM,
        setup=(SD15_LCM,),
        parts=control("normal"),
        call=LCM_CALL | {"image": Drawing(SCENE, "normals")},
    ),
    "shapes-animatediff-tcd": Case(
        **family("AnimateDiffPipeline", "shapes-sd15"),
        **TCD,
        setup=(SD15_TCD,),
        parts=MOTION,
        call=TCD_CALL | CLIP | {"prompt": "a red circle moving right on a blue background"},
    ),
    "shapes-animatediff-zoom-in-lcm": Case(
        **family("AnimateDiffPipeline", "shapes-sd15"),
        **LCM,
        setup=(SD15_LCM, ZOOM, ("set_adapters", (["lcm", "motion"], [1.0, 1.0]), {})),
        parts=MOTION,
        call=LCM_CALL | CLIP,
    ),
}
