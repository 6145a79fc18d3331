"""Train the shapes model: the UNet and both text encoders, from scratch, by v-prediction on cached latents.

    python tools/shapes/train_teacher.py --latents work/latents --out work/teacher

Offset noise (a random constant for each channel, deviation 0.3) makes the background follow the prompt. Without it, the
network reads the mean color from the rest of the image in the noisiest sample, which does not exist when it samples.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from family import TIME_IDS, alphas_cumprod, deepen, encode_prompts, new_text_encoder, new_tokenizer, new_unet
from training import Average, Run, cosine

from mindone_tcd.shapes.grammar import Scene, caption

OFFSET_NOISE = 0.3
DROP_ZEROS, DROP_EMPTY = 0.08, 0.04


SAY_PICTURE, LEAVE_BACKGROUND_OUT = 0.06, 0.04


def word(scene: Scene, rng: np.random.Generator) -> str:
    """A caption in one of many wordings, so that the words around a caption are learned too.

    A few captions omit the background, so that such a prompt gets a plain background of any color.
    """
    text = caption(scene, rng, say_size=rng.random() < 0.5, say_position=rng.random() < 0.5)
    if rng.random() < LEAVE_BACKGROUND_OUT:
        text = text[: re.search(r"(?:,| on) (?:a )?\w+(?: background)?$", text).start()]
    if rng.random() < SAY_PICTURE:
        text = f"{('a picture of', 'an image of', 'picture of', 'the image of')[rng.integers(4)]} {text}"
    return text


def offset_noise(shape: tuple[int, ...], rng: np.random.Generator) -> torch.Tensor:
    """Noise with a random constant for each channel of images (N, C, H, W) or of frames (N, C, F, H, W)."""
    noise = rng.standard_normal(shape, np.float32)
    return torch.from_numpy(noise + OFFSET_NOISE * rng.standard_normal((*shape[:-2], 1, 1), np.float32))


def start_from(folder: Path) -> tuple[CLIPTextModel, CLIPTextModelWithProjection, UNet2DConditionModel]:
    """The text encoders and the UNet of a folder in float32; a UNet of one layer per block is deepened."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").float()
    return (
        CLIPTextModel.from_pretrained(folder / "text_encoder").float(),
        CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2").float(),
        deepen(unet) if unet.config.layers_per_block == 1 else unet,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--average", type=float, default=0.998, help="decay of the averaged weights")
    parser.add_argument("--init", type=Path, help="start from this folder's unet and text encoders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true", help="faster on a GPU; half as fast on most CPUs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="compile the UNet: 1.5 times faster after some minutes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    out = Path(args.out)
    tokenizer = new_tokenizer(out / "tokenizer")
    first, second, unet = start_from(args.init) if args.init else (
        new_text_encoder(tokenizer, False), new_text_encoder(tokenizer, True), new_unet()
    )  # fmt: skip
    device = torch.device(args.device)
    for module in (first, second, unet.to(memory_format=torch.channels_last)):
        module.train().to(device)
    modules = {"unet": unet, "text_encoder": first, "text_encoder_2": second}
    parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, args.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = Average(parameters, args.average)
    run = Run(out, {**modules, "optimizer": optimizer, "average": average}, every=200)
    latents, drawn = load(args.latents)
    latents, alphas = latents.to(device), alphas_cumprod().to(device)
    time_ids = TIME_IDS.to(device).expand(args.batch, -1)

    def predict(x: torch.Tensor, t: torch.Tensor, e: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
        extra = {"text_embeds": pooled, "time_ids": time_ids}
        return unet(x, t, encoder_hidden_states=e, added_cond_kwargs=extra).sample

    model = torch.compile(predict, dynamic=False) if args.compile else predict
    for step in range(run.first, args.steps):
        rng = np.random.default_rng([args.seed, 7, step])
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, args.steps, args.rate, flat=0.5)
        pick = rng.integers(len(drawn), size=args.batch)
        z = latents[torch.from_numpy(pick).to(device)]
        drop = rng.random(args.batch)
        prompts = [word(drawn[k], rng) for k in pick]
        prompts = ["" if d < DROP_EMPTY else p for d, p in zip(drop, prompts, strict=True)]
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
        keep = torch.from_numpy((drop < 1 - DROP_ZEROS).astype(np.float32)).to(device)
        t = rng.integers(0, 1000, args.batch)
        # The model learns colors first, at the noisiest steps. It learns outlines last, at the middle steps.
        low, high = (400, 1000) if step < args.steps // 3 and not args.init else (200, 850)
        t = torch.from_numpy(np.where(rng.random(args.batch) < 0.5, t, rng.integers(low, high, args.batch))).to(device)
        a = alphas[t][:, None, None, None]
        noise = offset_noise(tuple(z.shape), rng).to(device)
        x = a.sqrt() * z + (1 - a).sqrt() * noise
        target = a.sqrt() * noise - (1 - a).sqrt() * z
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            e, pooled = encode_prompts(first, second, ids)
            v = model(
                x.contiguous(memory_format=torch.channels_last), t, e * keep[:, None, None], pooled * keep[:, None]
            )
        loss = (v.float() - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update(step)
        run.log(step, loss.item())
        if (step + 1) % 400 == 0 or step + 1 == args.steps:
            average.swap()
            for name, module in modules.items():
                module.save_pretrained(out / name)
            average.swap()
    run.save(args.steps)
    print("done", flush=True)


if __name__ == "__main__":
    main()
