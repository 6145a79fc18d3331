"""Train the sibling in SD 1.5's layout with both of its LoRAs: it learns to predict what the shipped model does.

    python tools/shapes/train_sd15.py --latents work/latents --out work/sd15

The sibling starts from the shipped model (sd15.py). It lacks the pooled prompt embedding, so its UNet learns to read
the prompt from the cross-attention alone. The targets are the predictions of the shipped model: without a LoRA on
noised drawings, and with each LoRA on the shipped model's own trajectories. The UNet learns a low-rank difference, and
whole cross-attention and time embedding layers. First, the text encoder alone learns to replace the two others.

The sibling also learns prompts of motion: in an image, "moving right" means the same as "in the right". A motion
adapter does not read the prompt, so it can follow a direction only if the UNet's features contain it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from own_trajectories import OwnTrajectories
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from family import encode_prompts
from frozen import LORAS, Frozen, timesteps
from lora import FILE, kohya, read_lora
from lowrank import LowRank, write_difference
from sd15 import INDEX, lora_start, new_text_encoder, new_unet
from train_teacher import word
from training import Average, Run, cosine, scenes, train, training_options

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import moving

WHOLE = ("attn2.to_k.weight", "attn2.to_v.weight", "time_embedding.linear_1.weight", "time_embedding.linear_1.bias",
         "time_embedding.linear_2.weight", "time_embedding.linear_2.bias")  # fmt: skip
"""The ends of the names of the UNet's weights that are trained, and shipped, as a whole."""

DROP = 0.15

SAY_MOVING = 0.6


@torch.no_grad()
def mean_addition(frozen: Frozen, prompts: list[str]) -> torch.Tensor:
    """The mean of what the additional conditions of prompts add to the time embedding of the shipped UNet."""
    _, extra = frozen.encode(prompts)
    unet = frozen.unet
    ids = unet.add_time_proj(extra["time_ids"].flatten()).view(len(prompts), -1)
    return unet.add_embedding(torch.cat([extra["text_embeds"], ids], 1)).mean(0)


def match_text(frozen: Frozen, encoder: torch.nn.Module, steps: int, batch: int, rate: float, seed: int) -> None:
    """Train the text encoder alone to give the prompt embeddings of the two others."""
    optimizer = torch.optim.AdamW(encoder.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-3)
    losses = []
    for step in range(steps):
        rng = np.random.default_rng([seed, 40, step])
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, rate, warm=50)
        ids = frozen.tokens([word(scene, rng) for scene in scenes(batch, rng)])
        with torch.no_grad():
            target, _ = encode_prompts(frozen.first, frozen.second, ids)
        loss = (encoder(ids)[0] - target).square().mean() / target.square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"text step {step + 1} relative loss {np.mean(losses[-100:]):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHAPES_FOLDER, help="the folder of the shipped model")
    training_options(parser, steps=1800, batch=32, rate=1e-3)
    parser.add_argument("--text-steps", type=int, default=800, help="steps of the text encoder alone")
    parser.add_argument("--rank", type=int, default=16, help="the rank of the UNet's difference")
    parser.add_argument("--lora-rank", type=int, default=12, help="the rank of both LoRAs")
    parser.add_argument("--own", type=int, default=2048, help="trajectories of the shipped model for each LoRA")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = Frozen(args.model, device)
    latents, drawn = load(args.latents)
    encoder = new_text_encoder(frozen.first, frozen.second).to(device)
    rng = np.random.default_rng([args.seed, 41])
    unet = new_unet(frozen.unet, mean_addition(frozen, [word(scene, rng) for scene in scenes(512, rng)]))
    unet = unet.to(device, memory_format=torch.channels_last).requires_grad_(False)
    base = {name: value.detach() for name, value in unet.state_dict().items()}
    whole = {name: base[name].clone() for name in base if name.endswith(WHOLE)}
    network = torch.nn.ModuleDict(
        {
            "text": encoder,
            "difference": LowRank(unet, args.rank),
            "whole": torch.nn.ParameterDict({name.replace(".", "/"): value for name, value in whole.items()}),
            **{
                name: LowRank(
                    unet, args.lora_rank, lora_start(read_lora(args.model / f"{name}_lora"), unet, args.lora_rank)
                )
                for name in LORAS
            },
        }
    ).to(device)
    trained = list(network.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in network.named_parameters() if n.startswith("difference")], "scale": 1.0},
            {"params": [p for n, p in network.named_parameters() if not n.startswith("difference")], "scale": 0.3},
        ],
        args.rate, betas=(0.9, 0.99), weight_decay=0.0,
    )  # fmt: skip
    if not (args.out / "resume.pt").exists():
        match_text(frozen, encoder, args.text_steps, 64, 2e-3, args.seed)
    average = Average(trained, args.average)
    run = Run(args.out, {"network": network, "optimizer": optimizer, "average": average}, every=200)

    def shipped(name, x, t, prompts, keep):
        """The prediction of the shipped model."""
        frozen.use(name)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            e, extra = frozen.encode(prompts, keep)
            return frozen.unet(x, t, e, added_cond_kwargs=extra).sample.float()

    def ask(name, x, t, prompts):
        """The prediction of the sibling."""
        weights = network["difference"].added_to(base)
        weights |= {key.replace("/", "."): value for key, value in network["whole"].items()}
        if name != "none":
            weights = network[name].added_to(weights)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            e = encoder(frozen.tokens(prompts))[0]
            return torch.func.functional_call(unet, weights, (x, t, e)).sample.float()

    own = None
    if run.first < args.steps:
        rng = np.random.default_rng([args.seed, 42])
        own = OwnTrajectories(
            lambda name, x, t, pick: shipped(
                name, x.to(device), t.to(device), [word(drawn[k], rng) for k in pick], None
            ).cpu(),
            len(drawn), args.own, rng,
        )  # fmt: skip
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        encoder.save_pretrained(args.out / "text_encoder")
        full = {key.replace("/", "."): value for key, value in network["whole"].items()}
        write_difference(args.out, unet.config, network["difference"].layers(), full)
        for name in LORAS:
            (args.out / f"{name}_lora").mkdir(exist_ok=True)
            layers = network[name].layers()
            if name == "lcm":  # the published LCM-LoRA for SD 1.5 has kohya's names
                layers = kohya(layers, args.lora_rank)
            else:
                layers = {f"unet.{key}": value.half().contiguous() for key, value in layers.items()}
            save_file(layers, args.out / f"{name}_lora" / FILE, metadata={"format": "pt"})
        (args.out / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 43, step])
        name = ("none", "tcd", "none", "lcm")[step % 4]
        if name == "none":
            pick = rng.integers(len(drawn), size=args.batch)
            t = timesteps(args.batch, rng).to(device)
            x, _ = frozen.noised(latents[torch.from_numpy(pick)].to(device), t, rng)
            keep = rng.random(args.batch) >= DROP
        else:
            x, t, pick = own.batch(name, args.batch, rng)
            x, t, keep = x.to(device).contiguous(memory_format=torch.channels_last), t.to(device), None
        prompts = [word(drawn[k], rng) for k in pick]
        if keep is not None:  # an empty prompt stands for SDXL's zeros
            prompts = [prompt if kept else "" for prompt, kept in zip(prompts, keep, strict=True)]
            keep = torch.from_numpy(keep.astype(np.float32)).to(device)
        target = shipped(name, x, t, prompts, keep)
        prompts = [moving(p) if m else p for p, m in zip(prompts, rng.random(args.batch) < SAY_MOVING, strict=True)]
        return (ask(name, x, t, prompts) - target).square().mean()

    def rate(step: int) -> float:
        return cosine(step, args.steps, args.rate, warm=50, flat=0.4)

    train(run, args.steps, rate, loss_of, save)


if __name__ == "__main__":
    main()
