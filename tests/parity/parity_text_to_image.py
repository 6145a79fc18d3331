"""Text-to-image on SDXL, SD 1.5 and SD 2.1, and shared features: batches, prompts, guidance, callbacks."""

from parity_case import Case, Folder, Model, Numbers

PROMPT, NEGATIVE = "a red circle on a blue background", "a green square"
PROMPTS = [PROMPT, "a small white star in the top left on a black background"]
ETA = 0.7
"""Differs from the scheduler's default of 0.3, so that the tests detect a pipeline that ignores the caller's eta."""
LORA_FILE = "pytorch_lora_weights.safetensors"


def lora(base: str, seed: int, name: str) -> tuple[str, tuple, dict]:
    """A call that loads a LoRA. The seed selects the TCD-LoRA (1), the LCM-LoRA (2) or a style LoRA (3)."""
    return "load_lora_weights", (Folder(f"lora-{base}", seed),), {"weight_name": LORA_FILE, "adapter_name": name}


def tcd(base: str) -> dict:
    return {"method": "TCD-LoRA", "scheduler": "TCDScheduler", "setup": (lora(base, 1, "tcd"),)}


def lcm(base: str) -> dict:
    return {"method": "LCM-LoRA", "scheduler": "LCMScheduler", "setup": (lora(base, 2, "lcm"),)}


XL = {"use": "text-to-image, SDXL", "pipeline": "StableDiffusionXLPipeline", "base": "sdxl"}
SD = {"use": "text-to-image, SD 1.5 and 2.1", "pipeline": "StableDiffusionPipeline", "base": "sd15"}
SAFE = {"base": "sd15-safety-checker"}
SD21 = {**SD, "base": "sd21"}
LCM = {"use": SD["use"], "pipeline": "LatentConsistencyModelPipeline", "base": "lcm-sd15"}
EMBEDDED = {"method": "guidance embedding", "scheduler": "LCMScheduler"}
XL_EMBEDDED = {"unet": Model("UNet2DConditionModel", Folder("lcm-sdxl"))}
SD_EMBEDDED = {"unet": Model("UNet2DConditionModel", Folder("lcm-sd15"), {"subfolder": "unet"})}
SEVERAL = {"use": "several adapters", "pipeline": "StableDiffusionXLPipeline", "base": "sdxl"}


def fade(pipe, step, timestep, given):
    """A callback that changes the latents after the first step only."""
    return {"latents": given["latents"] * 0.8} if step == 0 else {}


def weighted(*more: tuple[str, tuple, dict]) -> tuple:
    both = ["tcd", "style"]
    return lora("sdxl", 1, "tcd"), lora("sdxl", 3, "style"), ("set_adapters", (both, [1.0, 0.6]), {}), *more


PLAIN = {"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3}
FUSED = ("fuse_lora", (), {"adapter_names": ["tcd", "style"], "lora_scale": 0.7})

CASES = {
    "sdxl-tcd": Case(**XL, **tcd("sdxl"), call=PLAIN),
    "sdxl-tcd-4-steps-eta-0": Case(
        **XL, **tcd("sdxl"), call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.0, "num_inference_steps": 4}
    ),
    "sdxl-tcd-eta-1": Case(**XL, **tcd("sdxl"), call={"prompt": PROMPT, "guidance_scale": 1.0, "eta": 1.0}),
    "sdxl-tcd-eta-left-out": Case(
        **XL, **tcd("sdxl"), call={"prompt": PROMPT, "guidance_scale": 0}, left_out={"eta": 0.3}
    ),
    "sdxl-tcd-negative-prompts": Case(
        **XL,
        **tcd("sdxl"),
        call={"prompt": PROMPTS, "negative_prompt": [NEGATIVE, ""], "guidance_scale": 4.0, "eta": 0.3},
        seeds=(3, 11),
    ),
    "sdxl-tcd-batch-of-one-stream": Case(
        **XL, **tcd("sdxl"), call={"prompt": PROMPTS, "guidance_scale": 0, "eta": 0.3}, seeds=5
    ),
    "sdxl-tcd-several-images": Case(
        **XL,
        **tcd("sdxl"),
        call={"prompt": PROMPTS, "num_images_per_prompt": 2, "guidance_scale": 0, "eta": 0.3, "num_inference_steps": 2},
        seeds=(1, 2, 3, 4),
    ),
    "sdxl-tcd-prompt-embeds": Case(
        **XL,
        **tcd("sdxl"),
        call={
            "prompt_embeds": Numbers(1, (2, 32, 80)),
            "pooled_prompt_embeds": Numbers(2, (2, 40)),
            "negative_prompt_embeds": Numbers(3, (2, 32, 80)),
            "negative_pooled_prompt_embeds": Numbers(4, (2, 40)),
            "guidance_scale": 3.0,
            "eta": 0.3,
            "num_inference_steps": 2,
        },
        seeds=(3, 11),
    ),
    "sdxl-tcd-second-prompt-and-sizes": Case(
        **XL,
        **tcd("sdxl"),
        call={
            "prompt": PROMPT,
            "prompt_2": NEGATIVE,
            "width": 80,
            "height": 48,
            "original_size": (96, 40),
            "crops_coords_top_left": (8, 16),
            "clip_skip": 1,
            "guidance_scale": 0,
            "eta": 0.3,
        },
    ),
    "sdxl-tcd-callback": Case(
        **XL,
        **tcd("sdxl"),
        call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3, "callback_on_step_end": fade},
    ),
    "sdxl-tcd-latents": Case(
        **XL, **tcd("sdxl"), call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3, "output_type": "latent"}
    ),
    "sdxl-tcd-half-the-lora": Case(
        **XL,
        **tcd("sdxl"),
        call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3, "cross_attention_kwargs": {"scale": 0.5}},
    ),
    "sdxl-tcd-own-timesteps": Case(
        **XL, **tcd("sdxl"), call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3, "timesteps": [999, 639, 199]}
    ),
    "sdxl-lcm": Case(**XL, **lcm("sdxl"), call={"prompt": PROMPT, "guidance_scale": 1.0, "num_inference_steps": 4}),
    "sdxl-lcm-negative-prompt": Case(
        **XL, **lcm("sdxl"), call={"prompt": PROMPT, "negative_prompt": NEGATIVE, "guidance_scale": 2.0}
    ),
    # The boundary scalings of LCM have an effect at timestep 1. From 259 on they are 0 and 1 within 1e-7.
    "sdxl-lcm-own-timesteps": Case(
        **XL, **lcm("sdxl"), call={"prompt": PROMPT, "guidance_scale": 1.0, "timesteps": [999, 259, 1]}
    ),
    "sdxl-guidance-embedding": Case(
        **XL,
        **EMBEDDED,
        parts=XL_EMBEDDED,
        call={"prompt": PROMPTS, "guidance_scale": 8.0, "num_inference_steps": 4},
        seeds=(3, 11),
    ),
    "sdxl-guidance-embedding-tcd-scheduler": Case(
        **XL,
        method="guidance embedding",
        parts=XL_EMBEDDED,
        call={"prompt": PROMPT, "guidance_scale": 3.0, "eta": 0.3},
    ),
    "sd15-lcm": Case(**SD, **lcm("sd15"), call={"prompt": PROMPT, "guidance_scale": 1.0, "num_inference_steps": 4}),
    "sd15-lcm-negative-prompt": Case(
        **SD,
        **lcm("sd15"),
        call={"prompt": PROMPTS, "negative_prompt": [NEGATIVE] * 2, "guidance_scale": 2.0},
        seeds=(3, 11),
    ),
    # The first of the two images is flagged, and black in both frameworks.
    "sd15-lcm-safety-checker": Case(
        **SD | SAFE,
        **lcm("sd15"),
        call={"prompt": PROMPTS, "guidance_scale": 1.0, "num_inference_steps": 4},
        seeds=(3, 11),
    ),
    "sd15-tcd": Case(**SD, **tcd("sd15"), call={"prompt": PROMPT, "guidance_scale": 0, "eta": ETA}),
    "sd15-tcd-prompt-embeds": Case(
        **SD,
        **tcd("sd15"),
        call={
            "prompt_embeds": Numbers(1, (1, 32, 32)),
            "negative_prompt_embeds": Numbers(3, (1, 32, 32)),
            "guidance_scale": 3.0,
            "eta": 0.3,
            "num_images_per_prompt": 2,
        },
        seeds=(3, 11),
    ),
    "sd15-guidance-embedding": Case(
        **SD,
        **EMBEDDED,
        parts=SD_EMBEDDED,
        call={"prompt": PROMPT, "guidance_scale": 8.0},
    ),
    "sd21-lcm": Case(**SD21, **lcm("sd21"), call={"prompt": PROMPT, "guidance_scale": 1.0}),
    "sd21-tcd": Case(**SD21, **tcd("sd21"), call={"prompt": PROMPT, "guidance_scale": 3.0, "eta": 0.3}),
    "lcm-pipeline": Case(
        **LCM,
        **EMBEDDED | {"scheduler": None},
        call={"prompt": PROMPT, "guidance_scale": 8.5, "num_inference_steps": 4},
    ),
    "lcm-pipeline-batch": Case(
        **LCM,
        **EMBEDDED,
        call={"prompt": PROMPTS, "num_images_per_prompt": 2, "guidance_scale": 3.0, "original_inference_steps": 100},
        seeds=7,
    ),
    "lcm-pipeline-safety-checker": Case(
        **LCM | SAFE,
        **EMBEDDED,
        parts=SD_EMBEDDED,
        call={"prompt": PROMPTS, "guidance_scale": 8.0, "num_inference_steps": 2},
        seeds=(5, 2),
    ),
    "two-adapters-tcd": Case(
        **SEVERAL,
        method="TCD-LoRA, style LoRA",
        setup=weighted(),
        call=PLAIN,
    ),
    "two-adapters-one-deleted": Case(
        **SEVERAL, method="TCD-LoRA, style LoRA", setup=weighted(("delete_adapters", ("style",), {})), call=PLAIN
    ),
    "two-adapters-disabled": Case(
        **SEVERAL, method="TCD-LoRA, style LoRA", setup=weighted(("disable_lora", (), {})), call=PLAIN
    ),
    "two-adapters-unloaded": Case(
        **SEVERAL, method="TCD-LoRA, style LoRA", setup=weighted(("unload_lora_weights", (), {})), call=PLAIN
    ),
    "two-adapters-lcm": Case(
        **SEVERAL,
        method="LCM-LoRA, style LoRA",
        scheduler="LCMScheduler",
        setup=(lora("sdxl", 2, "lcm"), lora("sdxl", 3, "style"), ("set_adapters", (["lcm", "style"], [1.0, 0.8]), {})),
        call={"prompt": PROMPT, "guidance_scale": 1.0},
    ),
    "two-adapters-fused": Case(**SEVERAL, method="TCD-LoRA, style LoRA", setup=weighted(FUSED), call=PLAIN),
    "two-adapters-fused-and-unfused": Case(
        **SEVERAL,
        method="TCD-LoRA, style LoRA",
        setup=weighted(FUSED, ("unfuse_lora", (), {}), ("set_adapters", ("tcd",), {})),
        call=PLAIN,
    ),
}
