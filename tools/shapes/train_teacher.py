"""Train the shapes model itself: the UNet and both text encoders, from scratch, by v-prediction on cached latents.

    python tools/shapes/train_teacher.py --latents work/latents --out work/teacher

Offset noise (a random constant a channel, deviation 0.3) makes the background follow the prompt: without it the network
reads the mean colour from what is left of the picture at the noisiest step, and has nothing to read when it samples.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from family import TIME_IDS, alphas_cumprod, encode_prompts, new_text_encoder, new_tokenizer, new_unet
from training import Average, Run, cosine

from mindone_tcd.shapes.grammar import caption

OFFSET_NOISE = 0.3
DROP_ZEROS, DROP_EMPTY = 0.08, 0.04


def word(scene, rng: np.random.Generator) -> str:
    return caption(scene, rng, say_size=rng.random() < 0.5, say_position=rng.random() < 0.5)


def offset_noise(shape: tuple[int, ...], rng: np.random.Generator) -> torch.Tensor:
    noise = rng.standard_normal(shape, np.float32)
    return torch.from_numpy(noise + OFFSET_NOISE * rng.standard_normal((*shape[:2], 1, 1), np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="compile the UNet: 1.5 times faster after some minutes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    out = Path(args.out)
    tokenizer = new_tokenizer(out / "tokenizer")
    first, second = new_text_encoder(tokenizer, False).train(), new_text_encoder(tokenizer, True).train()
    unet = new_unet().train().to(memory_format=torch.channels_last)
    modules = {"unet": unet, "text_encoder": first, "text_encoder_2": second}
    parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, args.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = Average(parameters, 0.998)
    run = Run(out, {**modules, "optimizer": optimizer, "average": average}, every=200)
    latents, drawn = load(args.latents)
    alphas = alphas_cumprod()
    time_ids = TIME_IDS.expand(args.batch, -1)

    def predict(x: torch.Tensor, t: torch.Tensor, e: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
        extra = {"text_embeds": pooled, "time_ids": time_ids}
        return unet(x, t, encoder_hidden_states=e, added_cond_kwargs=extra).sample

    model = torch.compile(predict, dynamic=False) if args.compile else predict
    for step in range(run.first, args.steps):
        rng = np.random.default_rng([args.seed, 7, step])
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, args.steps, args.rate, flat=0.5)
        pick = rng.integers(len(drawn), size=args.batch)
        z = latents[torch.from_numpy(pick)]
        drop = rng.random(args.batch)
        prompts = [word(drawn[k], rng) for k in pick]
        prompts = ["" if d < DROP_EMPTY else p for d, p in zip(drop, prompts, strict=True)]
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        keep = torch.from_numpy((drop < 1 - DROP_ZEROS).astype(np.float32))
        t = rng.integers(0, 1000, args.batch)
        # Colours are learned at the noisiest steps and first; outlines in the middle, and they take longest.
        low, high = (400, 1000) if step < args.steps // 3 else (200, 850)
        t = torch.from_numpy(np.where(rng.random(args.batch) < 0.5, t, rng.integers(low, high, args.batch)))
        a = alphas[t][:, None, None, None]
        noise = offset_noise(tuple(z.shape), rng)
        x = a.sqrt() * z + (1 - a).sqrt() * noise
        target = a.sqrt() * noise - (1 - a).sqrt() * z
        with torch.autocast("cpu", torch.bfloat16):
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
