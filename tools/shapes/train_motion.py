"""Train a motion adapter for the sibling in SD 1.5's layout, or a motion LoRA for a trained adapter.

    python tools/shapes/train_motion.py --latents work/clips --out work/motion_adapter
    python tools/shapes/train_motion.py --latents work/zooms --lora --init work/motion_adapter --out work/motion_zoom_in

The clips are those of mindone_tcd/shapes/clips.py, whose paths the prompt determines. The spatial layers are frozen and
alternate between their own weights and those with each LoRA. The folder --latents keeps the encoded clips. With --own,
the steps with a LoRA train on own trajectories. A motion LoRA changes the attentions of the motion modules, learns
clips that zoom in, and is written under the names of the old attention processors.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import MotionAdapter, UNetMotionModel
from own_trajectories import OwnTrajectories, training_batch
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from frozen import LORAS, Frozen
from lora import DOWN, UP
from lowrank import LowRank
from training import Average, Run, cosine, scenes, train, training_options

from mindone_tcd.shapes.clips import ZOOM, draw_clip
from mindone_tcd.shapes.grammar import DIRECTIONS, TOWARD, Scene, caption, moving
from mindone_tcd.shapes.models import SD15, lora_folder, model

FRAMES = 16
STEPS = 5
FILE = "diffusion_pytorch_model.safetensors"
MOTION = ".motion_modules."
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
STILL = 0.2
DROP_PROMPT = 0.1

Clip = tuple[Scene, str | None]


def new_adapter(channels: tuple[int, ...], layers: list[int]) -> MotionAdapter:
    """A motion adapter that changes nothing at the start.

    The first attention of each module compares the features and positions themselves. With random weights, all frames
    get the same mean at first, and hundreds of steps pass before a module knows which frame it changes.
    """
    adapter = MotionAdapter(
        block_out_channels=channels,
        motion_layers_per_block=layers,
        motion_num_attention_heads=4,
        motion_norm_num_groups=16,
        motion_max_seq_length=32,
    )
    for name, module in adapter.named_modules():
        if name.endswith("proj_out"):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
        if name.endswith(("attn1.to_q", "attn1.to_k")):
            torch.nn.init.eye_(module.weight)
    return adapter


def random_clips(count: int, rng: np.random.Generator, zoom: bool) -> list[Clip]:
    """Random scenes and directions. Half of the scenes name no size; a large thing would leave a zoom."""
    found: list[Clip] = []
    for scene in scenes(4 * count, rng, two=0.0):
        size = None if rng.random() < 0.5 else scene.size
        still = rng.random() < (0.6 if zoom else STILL)
        direction = None if still else str(rng.choice(list(DIRECTIONS)))
        if len(found) < count and not (zoom and size == "large"):
            found.append((replace(scene, size=size, position=TOWARD.get(direction or "")), direction))
    return found


def encode_clips(frozen: Frozen, clips: list[Clip], file: Path, zoom: bool) -> torch.Tensor:
    """The latents of clips, (N, 4, 16, 16, 16), which are kept in a file."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        parts = []
        for k, (scene, direction) in enumerate(clips):
            pixels = draw_clip(scene, direction, FRAMES, seed=k, zoom=ZOOM if zoom else (1.0, 1.0))
            x = torch.from_numpy(pixels * 2 - 1).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), torch.autocast(frozen.device.type, torch.bfloat16):
                z = frozen.vae.encode(x.to(frozen.device)).latent_dist.mean.float() * frozen.vae.config.scaling_factor
            parts.append(z.transpose(0, 1).half().cpu())
        np.save(file, torch.stack(parts).numpy())
    latents = torch.from_numpy(np.load(file)).float()
    if len(latents) != len(clips):
        raise SystemExit(f"{file} has {len(latents)} clips, not {len(clips)}: delete it")
    return latents


def old_names(layers: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA in PEFT's form, in float16 under the names of the old attention processors."""
    found = {}
    for name, value in layers.items():
        side, end = ("down", DOWN) if name.endswith(DOWN) else ("up", UP)
        attention, part = name.removesuffix(end).removesuffix(".0").rsplit(".", 1)
        found[f"unet.{attention}.processor.{part}_lora.{side}.weight"] = value.half().contiguous()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the folder of the frozen model (default: the shipped sibling)")
    training_options(parser, steps=1200, batch=2, rate=1e-3)
    parser.add_argument("--clips", type=int, default=1536, help="the number of drawn clips")
    parser.add_argument("--init", type=Path, help="start from the adapter in this folder")
    parser.add_argument("--lora", action="store_true", help="train a motion LoRA for the adapter of --init")
    parser.add_argument("--rank", type=int, default=8, help="the rank of the motion LoRA")
    parser.add_argument("--own", type=int, default=0, help="train on this number of own trajectories for each LoRA")
    args = parser.parse_args()
    if args.lora and not args.init:
        parser.error("--lora needs --init, the folder of the adapter")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = (
        Frozen(args.model, device) if args.model else Frozen(model(SD15), device, lora_folder(SD15, "tcd_lora").parent)
    )
    config = frozen.unet.config
    adapter = (
        MotionAdapter.from_pretrained(args.init).float()
        if args.init
        else new_adapter(tuple(config.block_out_channels), list(config.layers_per_block))
    )
    unet = UNetMotionModel.from_unet2d(frozen.unet, adapter).to(device).requires_grad_(False)
    lora = LowRank(unet, args.rank, targets=ATTENTION, within=MOTION).to(device) if args.lora else None
    own_weights = {name: value.detach() for name, value in unet.state_dict().items()}
    motion = {name: p for name, p in unet.named_parameters() if MOTION in name}
    trained = list(lora.parameters()) if lora else [p.requires_grad_(True) for p in motion.values()]
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = Average(trained, args.average)
    run = Run(args.out, {"network": lora or unet, "optimizer": optimizer, "average": average}, every=100)

    # The same for every --seed, because the file of the latents is.
    clips = random_clips(args.clips, np.random.default_rng([0, 50]), args.lora)
    latents = encode_clips(frozen, clips, args.latents / "clips.npy", args.lora)
    print(f"{len(clips)} clips", flush=True)

    def say(k: int, rng: np.random.Generator) -> str:
        scene, direction = clips[k]
        prompt = caption(scene, rng, say_position=direction is not None)
        return moving(prompt)

    def predict(name, x, t, pick, keep, rng):
        """The prediction of v (N, 4, F, 16, 16) with a LoRA, for the clips with the numbers ``pick``."""
        e, _ = frozen.encode([say(k, rng) for k in pick], keep)
        weights = {**own_weights, **motion, **frozen.weights(name)}
        if lora:
            weights = lora.added_to(weights)
        # The flash attention takes half of the time for such short sequences.
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16), sdpa_kernel(SDPBackend.MATH):
            e = e.repeat_interleave(x.shape[2], 0)
            return torch.func.functional_call(unet, weights, (x.to(device), t, e)).sample.float()

    own = None
    if args.own:
        rng = np.random.default_rng([args.seed, 51])
        own = OwnTrajectories(
            lambda name, x, t, pick: predict(name, x, t.to(device), pick, None, rng).cpu(),
            len(clips), args.own, rng, (4, FRAMES, 16, 16), STEPS, 4,
        )  # fmt: skip
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        if lora:
            save_file(old_names(lora.layers()), args.out / FILE, metadata={"format": "pt"})
        else:
            unet.save_motion_modules(args.out)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 52, step])
        name = ("none", *LORAS)[step % 3]
        x, target, t, pick = training_batch(
            frozen, lambda k: latents[torch.from_numpy(k)], len(clips), own, name, args.batch, rng
        )
        keep = torch.from_numpy((rng.random(args.batch) >= DROP_PROMPT).astype(np.float32)).to(device)
        return (predict(name, x, t, pick, keep, rng) - target).square().mean()

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save)


if __name__ == "__main__":
    main()
