"""Train a model on its own images, with exact drawings of their scenes as targets: teacher, TCD-LoRA or LCM-LoRA.

    python tools/shapes/sharpen.py teacher --teacher work/teacher --vae work/vae --latents work/latents --out work/sharp
    python tools/shapes/sharpen.py tcd --teacher work/sharp --vae work/vae --init work/tcd_lora --out work/tcd_sharp

The typical fault is a slightly bent outline, which the autoencoder decodes faithfully, on samples that the forward
process never generates. Therefore the script collects trajectories of the sampler. ``located`` of the judge finds the
objects of an image. The script draws the same scene with its objects at these positions, and encodes the drawing. The
model learns to predict these latents at the timesteps of its own trajectory. Images with a wrong number of objects are
omitted. Only positions and sizes come from the judge.

The teacher learns this through the guided prediction, at timesteps below 700. Half of each batch has the loss of its
first training.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    LCMScheduler,
    TCDScheduler,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from distill import clean, pseudo_huber, wide
from family import SCHEDULE, TIME_IDS, alphas_cumprod, encode_prompts
from lora import add_lora, fill_lora, rank_of, read_lora, save_lora
from train_teacher import offset_noise, word
from training import Average, Run, cosine, scenes

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.judge import located

SCHEDULERS = {"teacher": DDIMScheduler, "tcd": TCDScheduler, "lcm": LCMScheduler}
STEPS = {"teacher": (10, 15, 20), "tcd": (1, 2, 4, 4, 8), "lcm": (1, 2, 4, 4, 8)}
"""The possible numbers of steps of a trajectory; the script selects one at random."""
LATEST = {"teacher": 700, "tcd": 1000, "lcm": 1000}
"""Training uses the timesteps below this one."""


class Denoiser:
    """The UNet with its text encoders; for the teacher, with classifier-free guidance."""

    def __init__(self, source: Path, lora: Path | None) -> None:
        self.tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer")
        self.first = CLIPTextModel.from_pretrained(source / "text_encoder").float().eval()
        self.second = CLIPTextModelWithProjection.from_pretrained(source / "text_encoder_2").float().eval()
        unet = UNet2DConditionModel.from_pretrained(source / "unet").float()
        self.unet = unet.to(memory_format=torch.channels_last)
        self.guided = lora is None
        if lora is not None:
            layers = read_lora(lora)
            add_lora(self.unet, rank_of(layers))
            fill_lora(self.unet, layers, lora)

    def tokens(self, prompts: list[str]) -> torch.Tensor:
        return self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids

    def v(self, x: torch.Tensor, t: torch.Tensor, ids: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """The conditional prediction; where ``keep`` is 0, the unconditional one."""
        with torch.no_grad():
            e, pooled = encode_prompts(self.first, self.second, ids)
        if keep is not None:
            e, pooled = e * keep[:, None, None], pooled * keep[:, None]
        extra = {"text_embeds": pooled, "time_ids": TIME_IDS.expand(len(ids), -1)}
        return self.unet(x.contiguous(memory_format=torch.channels_last), t, e, added_cond_kwargs=extra).sample

    def guided_v(self, x: torch.Tensor, t: torch.Tensor, ids: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """The prediction of the sampler. Gradients flow only through the conditional prediction."""
        conditional = self.v(x, t, ids)
        if not self.guided:
            return conditional
        with torch.no_grad():
            unconditional = self.v(x, t, ids, torch.zeros(len(ids)))
        return unconditional + wide(scale) * (conditional - unconditional)


class Collector:
    """Trajectories of the sampler, and the latents of the drawings that they should reach."""

    def __init__(self, method: str, denoiser: Denoiser, vae: AutoencoderKL, guidance: tuple[float, float]) -> None:
        self.method, self.denoiser, self.vae, self.guidance = method, denoiser, vae, guidance

    @torch.no_grad()
    def collect(self, count: int, rng: np.random.Generator, batch: int = 32) -> dict[str, torch.Tensor]:
        """At least ``count`` trajectories: x and z (N, 4, 16, 16), t and scale (N,), token ids (N, L)."""
        rows: list[dict[str, torch.Tensor]] = []
        seen = used = 0
        while used < count:
            asked = scenes(batch, rng)
            ids = self.denoiser.tokens([word(scene, rng) for scene in asked])
            scale = torch.from_numpy(rng.uniform(*self.guidance, batch).astype(np.float32))
            visited, images = self._sample(ids, scale, rng)
            found = [located(image, scene) for image, scene in zip(images, asked, strict=True)]
            right = [k for k, scene in enumerate(found) if scene is not None]
            seen, used = seen + batch, used + len(right)
            if not right:
                continue
            pixels = torch.from_numpy(np.stack([draw(found[k]) for k in right])).permute(0, 3, 1, 2) * 2 - 1
            z = self.vae.encode(pixels).latent_dist.mean * self.vae.config.scaling_factor
            for x, t in visited:
                here = torch.full((len(right),), t)
                rows.append({"x": x[right], "t": here, "ids": ids[right], "scale": scale[right], "z": z})
        print(f"collected {used} of {seen} images", flush=True)
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def _sample(
        self, ids: torch.Tensor, scale: torch.Tensor, rng: np.random.Generator
    ) -> tuple[list[tuple[torch.Tensor, int]], np.ndarray]:
        scheduler = SCHEDULERS[self.method](**SCHEDULE)
        scheduler.set_timesteps(int(rng.choice(STEPS[self.method])))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        options = {"eta": 0.3} if self.method == "tcd" else {}
        x = torch.randn((len(ids), 4, 16, 16), generator=generator)
        visited = []
        for t in scheduler.timesteps:
            if t < LATEST[self.method]:
                visited.append((x, int(t)))
            v = self.denoiser.guided_v(x, t.expand(len(ids)), ids, scale)
            x = scheduler.step(v, t, x, generator=generator, **options).prev_sample
        pixels = self.vae.decode(x / self.vae.config.scaling_factor).sample
        return visited, ((pixels + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def plain_batches(folder: Path, denoiser: Denoiser, batch: int, seed: int) -> Iterator[torch.Tensor]:
    """The loss that the teacher was trained with, on cached latents, batch after batch."""
    latents, drawn = load(folder)
    alphas, step = alphas_cumprod(), 0
    while True:
        rng = np.random.default_rng([seed, 15, step])
        pick = rng.integers(len(drawn), size=batch)
        z, t = latents[torch.from_numpy(pick)], torch.from_numpy(rng.integers(0, 1000, batch))
        ids = denoiser.tokens([word(drawn[k], rng) for k in pick])
        keep = torch.from_numpy((rng.random(batch) < 0.9).astype(np.float32))
        a, noise = wide(alphas[t]), offset_noise(tuple(z.shape), rng)
        v = denoiser.v(a.sqrt() * z + (1 - a).sqrt() * noise, t, ids, keep)
        yield (v - (a.sqrt() * noise - (1 - a).sqrt() * z)).square().mean()
        step += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=tuple(SCHEDULERS))
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="tcd, lcm: the folder of the LoRA to start from")
    parser.add_argument("--latents", type=Path, help="teacher: the cached latents")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--guidance", type=float, nargs=2, default=(2.0, 4.0), help="teacher: range of the scale")
    parser.add_argument("--rounds", type=int, default=2, help="the number of collections of trajectories")
    parser.add_argument("--images", type=int, default=2048, help="the number of trajectories per round")
    parser.add_argument("--steps", type=int, default=300, help="the number of training steps per round")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--average", type=float, default=0.99, help="decay of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    wanted = args.latents if args.method == "teacher" else args.init
    if wanted is None:
        parser.error("teacher needs --latents, tcd and lcm need --init")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    denoiser = Denoiser(args.teacher, args.init if args.method != "teacher" else None)
    vae = AutoencoderKL.from_pretrained(args.vae).float().eval()
    trained = [p for p in denoiser.unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"unet": denoiser.unet, "optimizer": optimizer, "average": average}, every=100)
    alphas, collector = alphas_cumprod(), Collector(args.method, denoiser, vae, args.guidance)
    plain = plain_batches(args.latents, denoiser, args.batch // 2, args.seed) if denoiser.guided else None
    own = args.batch // 2 if plain else args.batch
    data: dict[str, torch.Tensor] = {}

    def save() -> None:
        average.swap()
        if denoiser.guided:
            denoiser.unet.save_pretrained(args.out / "unet")
            for part in ("tokenizer", "text_encoder", "text_encoder_2"):  # unchanged, for a complete folder
                shutil.copytree(args.teacher / part, args.out / part, dirs_exist_ok=True)
        else:
            save_lora(denoiser.unet, args.out)
        average.swap()

    total = args.rounds * args.steps
    for step in range(run.first, total):
        if not data or step % args.steps == 0:
            average.swap()
            data = collector.collect(args.images, np.random.default_rng([args.seed, 13, step // args.steps]))
            average.swap()
        rng = np.random.default_rng([args.seed, 14, step])
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, total, args.rate, warm=20, flat=0.5)
        pick = torch.from_numpy(rng.integers(len(data["t"]), size=own))
        x, t, ids, scale, z = (data[name][pick] for name in ("x", "t", "ids", "scale", "z"))
        loss = pseudo_huber(clean(denoiser.guided_v(x, t, ids, scale), x, wide(alphas[t])), z)
        seen = loss.item()
        if plain is not None:
            loss = loss + next(plain)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update(step)
        run.log(step, seen)
        if (step + 1) % 100 == 0 or step + 1 == total:
            save()
    run.save(total)
    save()
    print("done", flush=True)


if __name__ == "__main__":
    main()
