"""A shipped model, frozen, for the training of networks that control it: text encoders, UNet, autoencoder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from family import TIME_IDS, alphas_cumprod, encode_prompts
from lora import read_lora
from lowrank import fused
from train_teacher import offset_noise

LORAS = ("tcd", "lcm")


class Frozen:
    """A shipped model, in the layout of SDXL or SD 1.5, without gradients for its weights.

    The UNet alternates between three sets of weights: its own, with the TCD-LoRA, and with the LCM-LoRA. A network
    that is trained with all three works with 50 steps and with 4.

    Args:
        folder: the model's folder.
        device: the device.
        loras: the folder that contains tcd_lora and lcm_lora; by default the model's.

    Attributes:
        unet: the UNet, in float32.
        tokenizer, first, second: the text encoders; the second is None in the layout of SD 1.5.
        vae: the autoencoder.
        alphas: alphas_cumprod, (1000,).
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu", loras: Path | None = None) -> None:
        pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32).to(device)
        self.device = torch.device(device)
        self.tokenizer, self.first = pipe.tokenizer, pipe.text_encoder
        self.second = getattr(pipe, "text_encoder_2", None)
        self.unet, self.vae = pipe.unet, pipe.vae
        self.alphas = alphas_cumprod().to(device)
        self._weights = {"none": {name: value.detach().clone() for name, value in self.unet.state_dict().items()}}
        for method in LORAS:
            layers = read_lora((loras or folder) / f"{method}_lora", self.unet)
            self._weights[method] = fused(self._weights["none"], {n: v.to(device) for n, v in layers.items()})
        for module in (self.first, self.second, self.unet, self.vae):
            if module is not None:
                module.eval().requires_grad_(False)
        self.unet.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def use(self, lora: str) -> None:
        """Give the UNet one of its sets of weights: ``none``, ``tcd`` or ``lcm``. Call it before each step."""
        for name, parameter in self.unet.named_parameters():
            parameter.copy_(self._weights[lora][name])

    def weights(self, lora: str) -> dict[str, torch.Tensor]:
        """One of the UNet's sets of weights: ``none``, ``tcd`` or ``lcm``."""
        return self._weights[lora]

    def tokens(self, prompts: list[str]) -> torch.Tensor:
        """The token ids of prompts, (N, 32)."""
        ids = self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return ids.to(self.device)

    @torch.no_grad()
    def encode(self, prompts: list[str], keep: torch.Tensor | None = None) -> tuple[torch.Tensor, dict | None]:
        """Return the prompt embeddings (N, 32, 128) and SDXL's additional conditions, None for SD 1.5.

        Where ``keep`` is 0, both are what the pipelines use without a prompt: zeros for SDXL, else the embeddings of
        an empty prompt.
        """
        if self.second is None and keep is not None:
            prompts = [prompt if kept else "" for prompt, kept in zip(prompts, keep.tolist(), strict=True)]
        ids = self.tokens(prompts)
        if self.second is None:
            return self.first(ids)[0], None
        e, pooled = encode_prompts(self.first, self.second, ids)
        if keep is not None:
            e, pooled = e * keep[:, None, None], pooled * keep[:, None]
        time_ids = TIME_IDS.to(self.device).expand(len(prompts), -1)
        return e, {"text_embeds": pooled, "time_ids": time_ids}

    def noised(self, z: torch.Tensor, t: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents at timesteps t, and the v that the UNet should predict for them."""
        a = self.alphas[t].view(-1, *([1] * (z.dim() - 1)))
        noise = offset_noise(tuple(z.shape), rng).to(self.device)
        x = a.sqrt() * z + (1 - a).sqrt() * noise
        x = x if x.dim() > 4 else x.contiguous(memory_format=torch.channels_last)
        return x, a.sqrt() * noise - (1 - a).sqrt() * z


def timesteps(count: int, rng: np.random.Generator, low: int = 500) -> torch.Tensor:
    """Half of the timesteps are uniform, half are at least ``low``: positions and colors are decided there.

    A few are 999, where the samplers start.
    """
    t = np.where(rng.random(count) < 0.5, rng.integers(0, 1000, count), rng.integers(low, 1000, count))
    return torch.from_numpy(np.where(rng.random(count) < 0.06, 999, t))
