"""Train a ControlNet or a T2I-Adapter for the shipped model.

    python tools/shapes/train_control.py controlnet canny --latents work/latents --out work/controlnet_canny
    python tools/shapes/train_control.py controlnet depth --latents work/latents --out work/controlnet_depth
    python tools/shapes/train_control.py controlnet normal --model shapes-sd15 --like controlnet-canny \
        --latents work/latents --out work/controlnet_normal
    python tools/shapes/train_control.py t2i canny --latents work/latents --out work/t2i_canny

The loss is that of the teacher, with the map of the drawing as an additional input. The UNet is frozen. It alternates
between its own weights and those with each LoRA: the map and the prompt together determine the image almost completely,
so the same target suits all three. With --own, the steps with a LoRA train on the network's own trajectories instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, T2IAdapter, UNet2DConditionModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from family import controlnet_of, load_controlnet, moved_controlnet, new_t2i_adapter
from frozen import LORAS, Frozen
from own_trajectories import OwnTrajectories, training_batch
from train_teacher import word
from training import Average, Run, cosine, train, training_options

from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.folder import SHAPES
from mindone_tcd.shapes.models import MODELS, PIPELINES, lora_folder, model

KINDS = {"canny": maps.edges, "depth": maps.depth, "normal": maps.normals}
DROP_PROMPT = 0.1


def control_maps(scenes: list, kind: str, rng: np.random.Generator) -> torch.Tensor:
    """Maps of drawings, (N, 3, 128, 128) in [0, 1]."""
    drawn = [KINDS[kind]((draw(scene, 128, rng) * 255).round().astype(np.uint8)) for scene in scenes]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255


HINT_DEVIATION = 0.5
"""The deviation of the hint that a new ControlNet adds to its first features, whose deviation is about 1."""


@torch.no_grad()
def scale_hints(network: ControlNetModel, maps: torch.Tensor) -> None:
    """Scale the layers that read the map, so that each output has mean 0 and deviation 1 for each channel.

    With diffusers' own start, a map of few edges changes the last layer's output by 1e-5 only, and the network ignores
    it for thousands of steps. The last layer, which starts with zeros, gets small random weights.
    """
    embedding = network.controlnet_cond_embedding
    torch.nn.init.normal_(embedding.conv_out.weight, std=embedding.conv_out.weight[0].numel() ** -0.5)
    layers = [embedding.conv_in, *embedding.blocks, embedding.conv_out]
    for layer in layers:
        found = layer(maps)
        wanted = HINT_DEVIATION if layer is layers[-1] else 1.0
        scale = wanted / found.std((0, 2, 3)).clamp(min=1e-6)
        layer.weight *= scale[:, None, None, None]
        layer.bias.copy_((layer.bias - found.mean((0, 2, 3))) * scale)
        maps = torch.nn.functional.silu(layer(maps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("controlnet", "t2i"))
    parser.add_argument("kind", choices=tuple(KINDS))
    parser.add_argument("--model", choices=PIPELINES, default=SHAPES, help="the shipped model to control")
    training_options(parser, steps=1500, batch=32, rate=8e-4)
    parser.add_argument("--init", type=Path, help="start from the network in this folder")
    parser.add_argument("--like", choices=MODELS, help="controlnet: start from this one for the model shapes")
    parser.add_argument("--own", type=int, default=0, help="train on this number of own trajectories for each LoRA")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)

    frozen = Frozen(model(args.model), device, lora_folder(args.model, "tcd_lora").parent)
    if args.like:
        base = UNet2DConditionModel.from_pretrained(model(SHAPES) / "unet").float()
        network = moved_controlnet(load_controlnet(model(args.like)), base, frozen.unet)
    elif args.network == "controlnet":
        network = load_controlnet(args.init) if args.init else controlnet_of(frozen.unet)
    else:
        network = T2IAdapter.from_pretrained(args.init) if args.init else new_t2i_adapter()
    network.train().to(device, memory_format=torch.channels_last)
    trained = list(network.parameters())
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = Average(trained, args.average)
    run = Run(args.out, {"network": network, "optimizer": optimizer, "average": average}, every=200)
    latents, drawn = load(args.latents)
    if args.network == "controlnet" and not (args.init or args.like) and run.first == 0:
        rng = np.random.default_rng([args.seed, 23])
        scale_hints(network, control_maps([drawn[k] for k in rng.integers(len(drawn), size=64)], args.kind, rng))

    def predict(x, t, some, keep, control, rng):
        e, extra = frozen.encode([word(scene, rng) for scene in some], keep)
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        control = control.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            if args.network == "controlnet":
                down, mid = network(x, t, e, control, added_cond_kwargs=extra, return_dict=False)
                more = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
            else:
                more = {"down_intrablock_additional_residuals": list(network(control))}
            return frozen.unet(x, t, e, added_cond_kwargs=extra, **more).sample.float()

    own = None
    if args.own:
        rng = np.random.default_rng([args.seed, 30])

        def ask(lora, x, t, pick):
            frozen.use(lora)
            some = [drawn[k] for k in pick]
            return predict(x, t.to(device), some, None, control_maps(some, args.kind, rng), rng).cpu()

        own = OwnTrajectories(ask, len(drawn), args.own, rng)
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        network.save_pretrained(args.out)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 21, step])
        lora = ("none", *LORAS)[step % 3]
        frozen.use(lora)
        x, target, t, pick = training_batch(
            frozen, lambda k: latents[torch.from_numpy(k)], len(drawn), own, lora, args.batch, rng
        )
        some = [drawn[k] for k in pick]
        keep = torch.from_numpy((rng.random(args.batch) >= DROP_PROMPT).astype(np.float32)).to(device)
        v = predict(x, t, some, keep, control_maps(some, args.kind, rng), rng)
        return (v - target).square().mean()

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save)


if __name__ == "__main__":
    main()
