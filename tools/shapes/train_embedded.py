"""Train the LCM UNet that reads the guidance scale as an embedding, and needs one pass per step at any scale.

    python tools/shapes/train_embedded.py --latents work/latents --out work/lcm_unet

The method is that of distill.py for LCM, but the teacher's guidance scale w varies from 3 to 13, and the student reads
the embedding of w - 1 (arXiv 2310.04378, section 4.2). The student is the shipped UNet with a LoRA that starts from
the LCM-LoRA, and a projection of the embedding that starts from zero.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from distill import GRID, along_the_trajectory, clean, noise_of, pseudo_huber, to_the_image, wide
from frozen import Frozen
from lora import read_lora
from lowrank import LowRank, write_difference
from train_teacher import offset_noise, word
from training import Average, Run, cosine, train, training_options

from mindone_tcd.shapes.folder import SHAPES_FOLDER

WIDTH = 256
PROJECTION = "time_embedding.cond_proj.weight"
GUIDANCE = (3.0, 13.0)


def embedding(scale: torch.Tensor) -> torch.Tensor:
    """The sinusoidal embedding of guidance scales, (N, 256), as the pipelines compute it from w - 1."""
    half = WIDTH // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(np.log(10000.0) / (half - 1)))
    angles = (scale - 1).float()[:, None] * 1000 * frequencies.to(scale.device)
    return torch.cat([angles.sin(), angles.cos()], 1)


def with_guidance(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A UNet with the weights of another, which also reads the embedding of the guidance scale: so far it adds 0."""
    student = UNet2DConditionModel.from_config({**unet.config, "time_cond_proj_dim": WIDTH})
    zero = torch.zeros_like(student.time_embedding.cond_proj.weight)
    student.load_state_dict({**{n: v.clone() for n, v in unet.state_dict().items()}, PROJECTION: zero})
    return student


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHAPES_FOLDER, help="the folder of the teacher and its LCM-LoRA")
    training_options(parser, steps=700, batch=32, rate=2e-4)
    parser.add_argument("--guidance", type=float, nargs=2, default=GUIDANCE, help="range of the teacher's scale")
    parser.add_argument("--rescale", type=float, default=0.0, help="rescaling of the guided prediction, 0 to 1")
    parser.add_argument("--anchor", type=float, default=0.5, help="share of the rows with TCD's loss")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = Frozen(args.model, device)
    student = with_guidance(frozen.unet).to(device, memory_format=torch.channels_last).requires_grad_(False)
    source = args.model / "lcm_lora"
    start = read_lora(source)
    rank = next(value for name, value in start.items() if ".lora_A." in name).shape[0]
    network = torch.nn.ModuleDict(
        {
            "lora": LowRank(frozen.unet, rank, start),
            "projection": torch.nn.Linear(WIDTH, student.time_embedding.cond_proj.out_features, bias=False),
        }
    ).to(device)
    torch.nn.init.zeros_(network["projection"].weight)
    trained = list(network.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"network": network, "optimizer": optimizer, "average": average}, every=100)
    latents, drawn = load(args.latents)
    alphas, grid = frozen.alphas, GRID.to(device)
    below = torch.cat([alphas[:1], alphas[grid[:-1]]])
    base = frozen.weights("none")

    def teacher(x, t, e, extra, scale):
        twice = {name: torch.cat([v, v if name == "time_ids" else torch.zeros_like(v)]) for name, v in extra.items()}
        both = torch.cat([e, torch.zeros_like(e)])
        v = frozen.unet(torch.cat([x, x]), torch.cat([t, t]), both, added_cond_kwargs=twice).sample.float()
        conditional, unconditional = v.chunk(2)
        guided = unconditional + wide(scale) * (conditional - unconditional)
        ratio = conditional.std((1, 2, 3), keepdim=True) / guided.std((1, 2, 3), keepdim=True)
        return guided * (args.rescale * ratio + 1 - args.rescale)

    def ask(x, t, e, extra, condition):
        weights = network["lora"].added_to(base) | {PROJECTION: network["projection"].weight}
        options = {"added_cond_kwargs": extra, "timestep_cond": condition}
        return torch.func.functional_call(student, weights, (x, t, e), options).sample.float()

    def save() -> None:
        write_difference(args.out, student.config, network["lora"].layers(), {PROJECTION: network["projection"].weight})

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 26, step])
        pick = rng.integers(len(drawn), size=args.batch)
        z = latents[torch.from_numpy(pick)].to(device)
        place = torch.from_numpy(rng.integers(0, 50, args.batch)).to(device)
        t, earlier = grid[place], (grid[place] - 20).clamp(min=0)
        a, a_earlier = wide(alphas[t]), wide(below[place])
        noise = offset_noise(tuple(z.shape), rng).to(device)
        x = (a.sqrt() * z + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        scale = torch.from_numpy(rng.uniform(*args.guidance, args.batch).astype(np.float32)).to(device)
        condition = embedding(scale)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            with torch.no_grad():
                e, extra = frozen.encode([word(drawn[k], rng) for k in pick])
                v = teacher(x, t, e, extra, scale)
                x_earlier = a_earlier.sqrt() * clean(v, x, a) + (1 - a_earlier).sqrt() * noise_of(v, x, a)
                v_earlier = ask(x_earlier, earlier, e, extra, condition)
            v = ask(x, t, e, extra, condition)
        answer, target = along_the_trajectory(v, x, a, v_earlier, x_earlier, a_earlier, place, rng, alphas)
        chosen = wide(torch.from_numpy(rng.random(args.batch) < args.anchor).to(device))
        answer_x0, target_x0 = to_the_image(v, x, a, t), to_the_image(v_earlier, x_earlier, a_earlier, earlier)
        return pseudo_huber(torch.where(chosen, answer, answer_x0), torch.where(chosen, target, target_x0))

    train(
        run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save, every=100
    )


if __name__ == "__main__":
    main()
