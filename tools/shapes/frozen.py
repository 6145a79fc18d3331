"""The shipped model, frozen, for the training of networks that control it: text encoders, UNet, autoencoder."""

from __future__ import annotations

import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from family import TIME_IDS, alphas_cumprod, encode_prompts
from lora import FILE
from train_teacher import offset_noise

LORAS = ("tcd", "lcm")


class Frozen:
    """The shipped model without gradients for its weights.

    The UNet alternates between three sets of weights: its own, with the TCD-LoRA, and with the LCM-LoRA. A network
    that is trained with all three works with 50 steps and with 4.

    Attributes:
        unet: the UNet, in float32.
        tokenizer, first, second: the text encoders.
        vae: the autoencoder.
        alphas: alphas_cumprod, (1000,).
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32).to(device)
        self.device = torch.device(device)
        self.tokenizer, self.first, self.second = pipe.tokenizer, pipe.text_encoder, pipe.text_encoder_2
        self.unet, self.vae = pipe.unet, pipe.vae
        self.alphas = alphas_cumprod().to(device)
        self._weights = {"none": self._state()}
        diffusers.utils.logging.set_verbosity_error()  # it warns of a LoRA without weights for the text encoders
        for method in LORAS:
            pipe.load_lora_weights(folder / f"{method}_lora", weight_name=FILE)
            pipe.fuse_lora()
            pipe.unload_lora_weights()
            self._weights[method] = self._state()
            self.unet.load_state_dict(self._weights["none"])
        for module in (self.first, self.second, self.unet, self.vae):
            module.eval().requires_grad_(False)
        self.unet.to(memory_format=torch.channels_last)

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.unet.state_dict().items()}

    @torch.no_grad()
    def use(self, lora: str) -> None:
        """Give the UNet one of its sets of weights: ``none``, ``tcd`` or ``lcm``. Call it before each step."""
        for name, parameter in self.unet.named_parameters():
            parameter.copy_(self._weights[lora][name])

    def weights(self, lora: str) -> dict[str, torch.Tensor]:
        """One of the UNet's sets of weights: ``none``, ``tcd`` or ``lcm``."""
        return self._weights[lora]

    @torch.no_grad()
    def encode(self, prompts: list[str], keep: torch.Tensor | None = None) -> tuple[torch.Tensor, dict]:
        """Return the prompt embeddings (N, 32, 128) and SDXL's additional conditions; zeros where ``keep`` is 0."""
        ids = self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        e, pooled = encode_prompts(self.first, self.second, ids.to(self.device))
        if keep is not None:
            e, pooled = e * keep[:, None, None], pooled * keep[:, None]
        time_ids = TIME_IDS.to(self.device).expand(len(prompts), -1)
        return e, {"text_embeds": pooled, "time_ids": time_ids}

    def noised(self, z: torch.Tensor, t: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents at timesteps t, and the v that the UNet should predict for them."""
        a = self.alphas[t][:, None, None, None]
        noise = offset_noise(tuple(z.shape), rng).to(self.device)
        x = a.sqrt() * z + (1 - a).sqrt() * noise
        return x.contiguous(memory_format=torch.channels_last), a.sqrt() * noise - (1 - a).sqrt() * z


def timesteps(count: int, rng: np.random.Generator, low: int = 500) -> torch.Tensor:
    """Half of the timesteps are uniform, half are at least ``low``: positions and colors are decided there.

    A few are 999, where the samplers start.
    """
    t = np.where(rng.random(count) < 0.5, rng.integers(0, 1000, count), rng.integers(low, 1000, count))
    return torch.from_numpy(np.where(rng.random(count) < 0.06, 999, t))
