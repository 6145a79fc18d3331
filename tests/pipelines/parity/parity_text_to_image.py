"""Text-to-image on SDXL, SD 1.5 and SD 2.1."""

from parity_case import Case, Folder, Model, Numbers

USE_XL, USE_SD = "text-to-image, SDXL", "text-to-image, SD 1.5 and 2.1"
PROMPT = "a red circle on a blue background"
NEGATIVE = "a green square"
LORA_FILE = "pytorch_lora_weights.safetensors"


def lora(base: str, seed: int, name: str) -> tuple[str, tuple, dict]:
    """A call that loads a LoRA; by its seed it is the TCD-LoRA (1), the LCM-LoRA (2) or a style (3, ...)."""
    return "load_lora_weights", (Folder(f"lora-{base}", seed),), {"weight_name": LORA_FILE, "adapter_name": name}


def xl(**more) -> dict:
    return {"use": USE_XL, "pipeline": "StableDiffusionXLPipeline", "base": "sdxl"} | more


TCD_XL = {"method": "TCD-LoRA", "setup": (lora("sdxl", 1, "tcd"),)}
LCM_XL = {"method": "LCM-LoRA", "scheduler": "LCMScheduler", "setup": (lora("sdxl", 2, "lcm"),)}

CASES = {
    "sdxl-tcd": Case(**xl(**TCD_XL), call={"prompt": PROMPT, "guidance_scale": 0, "eta": 0.3}),
    "sdxl-lcm": Case(**xl(**LCM_XL), call={"prompt": PROMPT, "guidance_scale": 1.0}),
}
