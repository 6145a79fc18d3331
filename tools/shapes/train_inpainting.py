"""Train the UNet with 9 input channels that inpaints: the shipped UNet, a LoRA for all its layers, and a new conv_in.

    python tools/shapes/train_inpainting.py --latents work/latents --out work/inpainting

The UNet also reads the mask and the latents of the image without its hole. The target is the complete drawing. Most
holes cover an object with a margin. Half of the prompts then describe the whole image, half only the object in the
hole. The weights alternate between those of the shipped UNet and those with each of its LoRAs.
With --own, the steps with a LoRA train on the network's own trajectories instead of noised drawings.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import CHUNK, chunk_scenes
from frozen import LORAS, Frozen
from lowrank import FILE, LowRank, write_difference
from own_trajectories import OwnTrajectories, training_batch
from safetensors.torch import load_file
from train_teacher import word
from training import Average, Run, cosine, images, train, training_options

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import Scene, Thing

DROP_PROMPT = 0.1
RANDOM_HOLES = 0.15
ALONE = 0.5
PAIRS = 5
"""How often drawings of two things are used, relative to the others: the thing outside the hole must not change."""
SIZE, F = 128, 8
DEVIATION = 0.08
"""Standard deviation of the noise that the autoencoder's distribution adds to the latents of an image."""


def hole(thing: Thing | None, rng: np.random.Generator) -> np.ndarray:
    """A rectangle or an ellipse, (128, 128) bool, that covers a thing with a margin; anywhere without a thing."""
    if thing is None:
        x, y = rng.uniform(20, SIZE - 20, 2)
        half = rng.uniform(12, 40, 2)
    else:
        x, y = (SIZE / 2 * (1 + c) for c in (thing.x, thing.y))
        half = np.full(2, thing.radius * SIZE / 2)
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    if rng.random() < 0.4:
        # The corners of the thing's box lie on this ellipse; half of the shapes stay clear of them.
        half = half * rng.uniform(1.25, 1.5) + 2
        return ((columns - x) / half[0]) ** 2 + ((rows - y) / half[1]) ** 2 <= 1
    left, right, top, bottom = rng.uniform(2, 10, 4)
    across = (columns >= x - half[0] - left) & (columns <= x + half[0] + right)
    return across & (rows >= y - half[1] - top) & (rows <= y + half[1] + bottom)


class Holes:
    """Drawings with holes: their scenes, latents, masks, and the latents of what is left of them.

    They are computed once and kept in a file, because the autoencoder takes as long as the UNet.
    """

    def __init__(self, frozen: Frozen, latents: Path, file: Path, count: int) -> None:
        chunks = sorted(latents.glob("*.npy"))
        self.scenes: list[Scene] = []
        self.covered: list[int | None] = []
        masks, found, whole = [], [], []
        stored = dict(np.load(file)) if file.exists() else None
        for path in chunks:
            number, kept = int(path.stem), np.load(path)
            scenes = chunk_scenes(number, len(kept))[: count - len(self.scenes)]
            if not scenes:
                break
            rng, other = np.random.default_rng([2, number]), np.random.default_rng([3, number])
            whole.append(kept[: len(scenes)])
            for k in range(0, len(scenes), 64):
                some = scenes[k : k + 64]
                picks = [None if other.random() < RANDOM_HOLES else int(other.integers(len(s.things))) for s in some]
                cut = [hole(None if p is None else s.things[p], other) for s, p in zip(some, picks, strict=True)]
                self.covered += picks
                masks.append(np.stack(cut))
                if stored is None:
                    # The same random numbers as in cache_latents.py give the same tints.
                    x = images(scenes[k : k + 64], rng) * torch.from_numpy(~masks[-1])[:, None]
                    x = x.contiguous(memory_format=torch.channels_last)
                    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                        mean = frozen.vae.encode(x).latent_dist.mean.float()
                    found.append((mean * frozen.vae.config.scaling_factor).half().numpy())
            self.scenes += scenes
        if stored is None:
            stored = {"latents": np.concatenate(found)}
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, **stored)
        if len(stored["latents"]) != len(self.scenes):
            raise SystemExit(f"{file} has {len(stored['latents'])} latents, not {len(self.scenes)}: delete it")
        self.whole = torch.from_numpy(np.concatenate(whole)).float()
        self.left = torch.from_numpy(stored["latents"]).float()
        pairs = [k for k, scene in enumerate(self.scenes) if len(scene.things) > 1]
        self.order = np.array([*range(len(self.scenes)), *(PAIRS - 1) * pairs])
        # Nearest neighbors, as the pipeline scales its mask.
        self.masks = torch.from_numpy(np.concatenate(masks)[:, None, ::F, ::F]).float()


def prompt_for(scene: Scene, covered: int | None, rng: np.random.Generator) -> str:
    if covered is None or rng.random() >= ALONE:
        return word(scene, rng)
    alone = Scene(scene.background, (scene.things[covered],), scene.size, scene.position)
    return word(replace(alone, size=None, position=None), rng)


def nine_channels(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A UNet with 9 input channels and the weights of one with 4; the weights of the new channels are zero."""
    wide = UNet2DConditionModel.from_config({**unet.config, "in_channels": 9})
    weights = {name: value.clone() for name, value in unet.state_dict().items()}
    new = torch.zeros_like(wide.conv_in.weight)
    new[:, :4] = weights["conv_in.weight"]
    wide.load_state_dict({**weights, "conv_in.weight": new})
    return wide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHAPES_FOLDER, help="the folder of the frozen model")
    training_options(parser, steps=1500, batch=32, rate=1e-3)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--images", type=int, default=2 * CHUNK, help="the number of drawings with holes")
    parser.add_argument("--init", type=Path, help="start from the difference in this folder")
    parser.add_argument("--own", type=int, default=0, help="train on this number of own trajectories for each LoRA")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = Frozen(args.model, device)
    unet = nine_channels(frozen.unet).to(device, memory_format=torch.channels_last).requires_grad_(False)
    start = {n: value.float() for n, value in load_file(args.init / FILE).items()} if args.init else None
    lora = LowRank(frozen.unet, args.rank, start).to(device)
    names = ("weight", "bias")
    conv_in = torch.nn.ParameterDict(
        {n: (start[f"conv_in.{n}"] if start else unet.conv_in.get_parameter(n)).detach().clone() for n in names}
    ).to(device)
    network = torch.nn.ModuleDict({"lora": lora, "conv_in": conv_in})
    trained = list(network.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"network": network, "optimizer": optimizer, "average": average}, every=200)
    holes = Holes(frozen, args.latents, args.out / "holes.npz", args.images)
    print(f"{len(holes.scenes)} drawings with holes", flush=True)

    def predict(name, x, t, pick, keep, rng):
        """The prediction of v with a LoRA, for the drawings with the numbers ``pick``."""
        prompts = [prompt_for(holes.scenes[k], holes.covered[k], rng) for k in pick.tolist()]
        e, extra = frozen.encode(prompts, keep)
        left = holes.left[pick]
        noise = torch.from_numpy(rng.standard_normal(tuple(left.shape), np.float32))
        left = left + DEVIATION * frozen.vae.config.scaling_factor * noise
        x = torch.cat([x.to(device), holes.masks[pick].to(device), left.to(device)], 1)
        weights = lora.added_to(frozen.weights(name)) | {f"conv_in.{n}": value for n, value in conv_in.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            x = x.contiguous(memory_format=torch.channels_last)
            return torch.func.functional_call(unet, weights, (x, t, e), {"added_cond_kwargs": extra}).sample.float()

    own = None
    if args.own:
        rng = np.random.default_rng([args.seed, 31])

        def ask(name, x, t, pick):
            return predict(name, x, t.to(device), torch.from_numpy(holes.order[pick]), None, rng).cpu()

        own = OwnTrajectories(ask, len(holes.order), args.own, rng)
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        full = {f"conv_in.{name}": value for name, value in conv_in.items()}
        write_difference(args.out, unet.config, lora.layers(), full)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 22, step])
        name = ("none", *LORAS)[step % 3]
        x, target, t, cases = training_batch(
            frozen,
            lambda k: holes.whole[torch.from_numpy(holes.order[k])],
            len(holes.order),
            own,
            name,
            args.batch,
            rng,
        )
        pick = torch.from_numpy(holes.order[cases])
        keep = torch.from_numpy((rng.random(args.batch) >= DROP_PROMPT).astype(np.float32)).to(device)
        v = predict(name, x, t, pick, keep, rng)
        return (v - target).square().mean()

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save)


if __name__ == "__main__":
    main()
