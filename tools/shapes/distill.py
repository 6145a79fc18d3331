"""Distill the shapes model into a TCD-LoRA or an LCM-LoRA.

    python tools/shapes/distill.py tcd --teacher work/teacher --latents work/latents --out work/tcd_lora
    python tools/shapes/distill.py lcm --teacher work/teacher --latents work/latents --out work/lcm_lora \\
        --init work/tcd_lora --rate 1e-4 --steps 300

Both methods have the same structure. An image is noised to a timestep t of a grid of 50. The teacher, with guidance,
computes one DDIM step down to t'. The student's prediction at t must agree with its own prediction at t'. For LCM
(arXiv 2310.04378, LCM-LoRA: 2311.05556), the prediction is the clean image, with the boundary scalings. For TCD (arXiv
2402.19159), it is the point at a random s below t', from the deterministic part of the scheduler step. The loss of LCM
has a fixed target only at t' = 0, fifty steps away from the noise, so a short training diverges. Therefore the LCM-LoRA
starts from the TCD-LoRA, whose prediction at s = 0 is nearly that of LCM. A share of its rows uses TCD's loss, which
has a fixed target at every s.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from family import TIME_IDS, alphas_cumprod, encode_prompts
from lora import add_lora, fill_lora, read_lora, save_lora
from train_teacher import offset_noise, word
from training import Average, Run, cosine, train

GRID = torch.arange(1, 51) * 20 - 1


def wide(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]


def clean(v: torch.Tensor, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    return a.sqrt() * x - (1 - a).sqrt() * v


def noise_of(v: torch.Tensor, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    return a.sqrt() * v + (1 - a).sqrt() * x


def boundary(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """c_skip and c_out of the consistency function, with sigma_data 0.5 and timestep scaling 10."""
    scaled = 10.0 * t.float()
    return wide(0.25 / (scaled**2 + 0.25)), wide(scaled / (scaled**2 + 0.25).sqrt())


def pseudo_huber(a: torch.Tensor, b: torch.Tensor, c: float = 0.001) -> torch.Tensor:
    return ((a - b).square() + c * c).sqrt().sub(c).mean()


def to_the_image(v: torch.Tensor, x: torch.Tensor, a: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """LCM's prediction: the clean image, with the boundary scalings of timestep t."""
    skip, out = boundary(t)
    return skip * x + out * clean(v, x, a)


def along_the_trajectory(v, x, a, v_earlier, x_earlier, a_earlier, place, rng, alphas):
    """TCD's prediction and target: the point at a random s, from t and from t'. If s is t', the target is the
    teacher's."""
    m = torch.from_numpy(np.floor(rng.random(len(place)) * (place.cpu().numpy() + 1)).astype(np.int64)) - 1
    m = m.to(place.device)
    a_s = wide(torch.where(m < 0, alphas[0], alphas[GRID.to(m.device)[m.clamp(min=0)]]))
    answer = a_s.sqrt() * clean(v, x, a) + (1 - a_s).sqrt() * noise_of(v, x, a)
    target = a_s.sqrt() * clean(v_earlier, x_earlier, a_earlier)
    target = target + (1 - a_s).sqrt() * noise_of(v_earlier, x_earlier, a_earlier)
    return answer, torch.where(wide(m == place - 1), x_earlier, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=("tcd", "lcm"))
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--latents", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--guidance", type=float, nargs=2, default=(2.0, 4.0), help="range of the teacher's scale")
    parser.add_argument("--init", type=Path, help="start from the LoRA in this folder")
    parser.add_argument("--anchor", type=float, default=0.5, help="lcm: share of the rows with TCD's loss")
    parser.add_argument("--average", type=float, default=0.99, help="decay of the averaged LoRA")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true", help="faster on a GPU; half as fast on most CPUs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="compile both UNets: faster after some minutes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    source = Path(args.teacher)
    tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer")
    first = CLIPTextModel.from_pretrained(source / "text_encoder").float().eval().to(device)
    second = CLIPTextModelWithProjection.from_pretrained(source / "text_encoder_2").float().eval().to(device)
    teacher, student = (
        UNet2DConditionModel.from_pretrained(source / "unet").float().to(device, memory_format=torch.channels_last)
        for _ in range(2)
    )
    teacher.eval().requires_grad_(False)
    add_lora(student, args.rank)
    student.to(device)
    if args.init:
        fill_lora(student, read_lora(args.init), args.init)
    trained = [p for p in student.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters in the LoRA", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"student": student, "optimizer": optimizer, "average": average}, every=100)
    ask_teacher, ask = (torch.compile(m, dynamic=False) if args.compile else m for m in (teacher, student))
    along = 1.0 if args.method == "tcd" else args.anchor
    latents, drawn = load(args.latents)
    latents, alphas, grid = latents.to(device), alphas_cumprod().to(device), GRID.to(device)
    time_ids = TIME_IDS.to(device)
    # A DDIM step from the first timestep of the grid ends at the start of the schedule.
    below = torch.cat([alphas[:1], alphas[grid[:-1]]])

    def save() -> None:
        save_lora(student, args.out)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 11, step])
        pick = rng.integers(len(drawn), size=args.batch)
        z = latents[torch.from_numpy(pick).to(device)]
        prompts = [word(drawn[k], rng) for k in pick]
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
        place = torch.from_numpy(rng.integers(0, 50, args.batch)).to(device)
        t, earlier = grid[place], (grid[place] - 20).clamp(min=0)
        a, a_earlier = wide(alphas[t]), wide(below[place])
        noise = offset_noise(tuple(z.shape), rng).to(device)
        x = (a.sqrt() * z + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        scale = wide(torch.from_numpy(rng.uniform(*args.guidance, args.batch).astype(np.float32)).to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            with torch.no_grad():
                e, pooled = encode_prompts(first, second, ids)
                extra = {"text_embeds": pooled, "time_ids": time_ids.expand(args.batch, -1)}
                twice = {
                    "text_embeds": torch.cat([pooled, torch.zeros_like(pooled)]),
                    "time_ids": time_ids.expand(2 * args.batch, -1),
                }
                both = torch.cat([e, torch.zeros_like(e)])
                v = ask_teacher(torch.cat([x, x]), torch.cat([t, t]), both, added_cond_kwargs=twice).sample.float()
                conditional, unconditional = v.chunk(2)
                v = unconditional + scale * (conditional - unconditional)
                x_earlier = a_earlier.sqrt() * clean(v, x, a) + (1 - a_earlier).sqrt() * noise_of(v, x, a)
                v_earlier = ask(x_earlier, earlier, e, added_cond_kwargs=extra).sample.float()
            v = ask(x, t, e, added_cond_kwargs=extra).sample.float()
        answer, target = along_the_trajectory(v, x, a, v_earlier, x_earlier, a_earlier, place, rng, alphas)
        if along < 1:
            chosen = wide(torch.from_numpy(rng.random(args.batch) < along).to(device))
            answer_x0, target_x0 = to_the_image(v, x, a, t), to_the_image(v_earlier, x_earlier, a_earlier, earlier)
            answer, target = torch.where(chosen, answer, answer_x0), torch.where(chosen, target, target_x0)
        return pseudo_huber(answer, target)

    train(
        run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.5), loss_of, save, every=100
    )


if __name__ == "__main__":
    main()
