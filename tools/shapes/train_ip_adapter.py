"""Train an image encoder, and then an IP-Adapter that reads its embeddings.

    python tools/shapes/train_ip_adapter.py encoder --latents work/latents --out work/ip_adapter
    python tools/shapes/train_ip_adapter.py adapter --latents work/latents --out work/ip_adapter

The image encoder (the layout of CLIP's vision tower) learns to embed drawings, so that linear heads can read what they
show: shape, colors, position and size. The heads are then dropped. The adapter learns by the teacher's loss, on the
drawing whose embedding it reads. Its tokens start as those of the drawing's caption. Most prompts are dropped, so that
the embedding matters. The weights alternate between those of the shipped UNet and those with each of its LoRAs. The
output has the layout of the repository h94/IP-Adapter. With --own and more steps, the adapter goes on from its last
checkpoint, and the steps with a LoRA train on its own trajectories.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from frozen import LORAS, Frozen
from own_trajectories import OwnTrajectories, training_batch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate, unfold
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.modeling_clip import CLIPVisionModelOutput

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cache_latents import load
from train_teacher import word
from train_tiny_vae import pairs
from training import Average, Run, cosine, train, training_options

from mindone_tcd.shapes.drawing import coverage
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.grammar import COLOURS, SHAPES, Scene, caption, split_words

SIZE, PATCH, TOKENS, CROSS = 40, 4, 4, 128
COVERED_LAYER = 2
"""The layer whose patches are read for the covered pixels and for the direction of the outline."""
DIRECTIONS = 16
FOLDER, ADAPTER, ENCODER = "sdxl_models", "ip-adapter_sdxl.safetensors", "image_encoder"
DROP_PROMPT, ZERO_PROMPT = 0.5, 0.1
"""Shares of the prompts that are empty, and of the prompts whose embeddings are zeros."""


def new_encoder() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=256,
        projection_dim=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
    )
    encoder = CLIPVisionModelWithProjection(config)
    # CLIP's own deviations are for much wider networks: with them, the patches hardly matter at the start.
    embeddings = encoder.vision_model.embeddings
    nn.init.normal_(embeddings.patch_embedding.weight, std=0.14)
    # With waves, two projections of the places give the distance of two patches, from which shapes follow.
    side, width = SIZE // PATCH, config.hidden_size // 4
    frequencies = torch.pi / 2 ** torch.linspace(0, 4, width)
    angles = torch.arange(side)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = waves[:, None].expand(side, side, -1), waves[None].expand(side, side, -1)
    with torch.no_grad():
        embeddings.position_embedding.weight[0] = 0
        embeddings.position_embedding.weight[1:] = 0.5 * torch.cat([rows, columns], 2).flatten(0, 1)
    return encoder


def pixel_values(drawn: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1], (N, 3, 40, 40), normalized as the pipelines' CLIPImageProcessor does."""
    processor = CLIPImageProcessor()
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (processor.image_mean, processor.image_std))
    return (drawn - mean) / deviation


class Heads(nn.Module):
    """Linear readings of the embedding, and of each patch: its covered pixels and its outline.

    Without the readings of the patches, the encoder learns the colors at once and the shapes only after many thousand
    steps, because a shape is a difference of colors and not a color. The directions of the outline tell most shapes.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.shape, self.colour = nn.Linear(width, len(SHAPES)), nn.Linear(width, len(COLOURS))
        self.background, self.place = nn.Linear(width, len(COLOURS)), nn.Linear(width, 3)
        self.covered, self.direction = nn.Linear(hidden, PATCH * PATCH), nn.Linear(hidden, DIRECTIONS)

    def losses(
        self, found: CLIPVisionModelOutput, drawn: list[Scene], covered: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss, and the shares of right answers.

        Args:
            found: the encoder's output, with hidden states.
            drawn: the scenes.
            covered: the pixels of the things, (N, 40, 40) in [0, 1].
        """
        names = list(COLOURS)
        first = [scene.things[0] for scene in drawn]
        wanted = {
            "shape": torch.tensor([SHAPES.index(thing.shape) for thing in first]),
            "colour": torch.tensor([names.index(thing.colour) for thing in first]),
            "background": torch.tensor([names.index(scene.background) for scene in drawn]),
        }
        embeds = found.image_embeds
        answers = {name: getattr(self, name)(embeds) for name in wanted}
        loss = sum(cross_entropy(answers[name], wanted[name].to(embeds.device)) for name in wanted)
        place = torch.tensor([[thing.x, thing.y, thing.radius] for thing in first], device=embeds.device)
        right = {name: float((answers[name].argmax(1).cpu() == wanted[name]).float().mean()) for name in wanted}
        patches = unfold(covered[:, None], PATCH, stride=PATCH).transpose(1, 2)
        inside = binary_cross_entropy_with_logits(self.covered(found.hidden_states[COVERED_LAYER][:, 1:]), patches)
        down, right_ = torch.gradient(covered, dim=(1, 2))
        slopes = [unfold(slope[:, None], PATCH, stride=PATCH).sum(1) for slope in (down, right_)]
        edge = torch.hypot(*slopes) > 1
        turn = (torch.atan2(*slopes) / (2 * torch.pi) * DIRECTIONS).round().long() % DIRECTIONS
        direction = cross_entropy(self.direction(found.hidden_states[COVERED_LAYER][:, 1:])[edge], turn[edge])
        loss = loss + 4 * (self.place(embeds) - place).abs().mean() + 10 * inside + 2 * direction
        return loss, right | {"covered": float(inside.detach()), "direction": float(direction.detach())}


def drawings(folder: Path, count: int) -> tuple[torch.Tensor, torch.Tensor, list[Scene]]:
    """Drawings of one thing at the encoder's size, (N, 3, 40, 40) in [0, 1], their latents and scenes."""
    drawn, latents = pairs(folder, count)
    shown = load(folder)[1][:count]
    # CLIPImageProcessor scales images of the pipelines in the same way.
    small = [
        interpolate(part.float() / 255, SIZE, mode="bicubic", antialias=True).clamp(0, 1) for part in drawn.split(256)
    ]
    single = [k for k, scene in enumerate(shown) if len(scene.things) == 1]
    return torch.cat(small)[single], latents[single], [shown[k] for k in single]


def train_encoder(args: argparse.Namespace) -> None:
    device = torch.device(args.device)
    encoder = new_encoder()
    heads = Heads(encoder.config.projection_dim, encoder.config.hidden_size)
    network = nn.ModuleDict({"encoder": encoder, "heads": heads}).to(device).train()
    trained = list(network.parameters())
    print(f"{sum(p.numel() for p in encoder.parameters()) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = Average(trained, args.average)
    run = Run(args.out / "encoder", {"network": network, "optimizer": optimizer, "average": average}, every=200)
    pixels, _, shown = drawings(args.latents, args.images)

    def save() -> None:
        encoder.save_pretrained(args.out / FOLDER / ENCODER)

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        rng = np.random.default_rng([args.seed, 28, step])
        pick = rng.integers(len(shown), size=args.batch)
        some = [shown[k] for k in pick]
        things = [coverage(s.things[0].shape, s.things[0].x, s.things[0].y, s.things[0].radius, SIZE) for s in some]
        found = encoder(pixel_values(pixels[torch.from_numpy(pick)]).to(device), output_hidden_states=True)
        loss, right = heads.losses(found, some, torch.from_numpy(np.stack(things)).to(device))
        return loss, ", ".join(f"{name} {share:.2f}" for name, share in right.items())

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, flat=0.3), loss_of, save)


def align(frozen: Frozen, projection: nn.Module, embeds: torch.Tensor, shown: list[Scene], steps: int = 600) -> None:
    """Train the projection of the embeddings to four of the text's tokens, which the keys and values already read.

    The tokens are those of the shape, the last position word, the background's color and the end of a full caption.
    """
    wanted = []
    for k in range(0, len(shown), 256):
        prompts = [caption(scene) for scene in shown[k : k + 256]]
        e, _ = frozen.encode(prompts)
        for words, tokens in zip(map(split_words, prompts), e, strict=True):
            shape = next(n for n, word in enumerate(words) if word in SHAPES)
            places = [shape, words.index("on") - 1, len(words) - 2, len(words)]
            wanted.append(tokens[[1 + n for n in places]])  # the first token is the start
    targets = torch.stack(wanted)
    optimizer = torch.optim.AdamW(projection.parameters(), 5e-3, weight_decay=0.0)
    rng = np.random.default_rng(0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, 5e-3, warm=20)
        pick = torch.from_numpy(rng.integers(len(shown), size=256))
        loss = (projection(embeds[pick]) - targets[pick]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"aligned with the text: error {loss.item():.3f}, variance {targets.var(0).mean().item():.3f}", flush=True)


def train_adapter(args: argparse.Namespace) -> None:
    device = torch.device(args.device)
    frozen = Frozen(args.model, device)
    encoder = CLIPVisionModelWithProjection.from_pretrained(args.out / FOLDER / ENCODER).float().eval().to(device)
    # Like the published adapters, the keys and values start from those of the text.
    base = frozen.weights("none")
    attentions = [name.removesuffix(".processor") for name in frozen.unet.attn_processors]
    weights = {
        f"ip_adapter.{k}.to_{part}_ip.weight": base[f"{name}.to_{part}.weight"].clone()
        for k, name in enumerate(attentions)
        if name.endswith("attn2")
        for part in "kv"
    }
    width = encoder.config.projection_dim
    start = nn.Linear(width, TOKENS * CROSS)
    weights |= {"image_proj.proj.weight": start.weight.detach(), "image_proj.proj.bias": start.bias.detach()}
    weights |= {"image_proj.norm.weight": torch.ones(CROSS), "image_proj.norm.bias": torch.zeros(CROSS)}
    groups = {
        group: {n.removeprefix(f"{group}."): v for n, v in weights.items() if n.startswith(f"{group}.")}
        for group in ("image_proj", "ip_adapter")
    }
    unet = frozen.unet
    unet._load_ip_adapter_weights([groups], low_cpu_mem_usage=False)
    own = {name: p for name, p in unet.named_parameters() if name not in base}
    trained = list(own.values())
    for parameter in trained:
        parameter.requires_grad_(True)
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters", flush=True)

    def tensors() -> dict[str, torch.Tensor]:
        """The trained tensors under the names of the published files."""
        projection, norm = (f"encoder_hid_proj.image_projection_layers.0.{n}" for n in ("image_embeds", "norm"))
        found = {f"image_proj.proj.{part}": own[f"{projection}.{part}"] for part in ("weight", "bias")}
        found |= {f"image_proj.norm.{part}": own[f"{norm}.{part}"] for part in ("weight", "bias")}
        for k, name in enumerate(attentions):
            for part in "kv" if name.endswith("attn2") else "":
                found[f"ip_adapter.{k}.to_{part}_ip.weight"] = own[f"{name}.processor.to_{part}_ip.0.weight"]
        if len(found) != len(own):
            raise RuntimeError(f"{len(own)} tensors are trained, {len(found)} have names")
        return {name: value.detach().half().contiguous() for name, value in found.items()}

    pixels, latents, shown = drawings(args.latents, args.images)
    with torch.no_grad():
        embeds = torch.cat([encoder(pixel_values(part).to(device)).image_embeds for part in pixels.split(256)])
    align(frozen, unet.encoder_hid_proj.image_projection_layers[0], embeds, shown)

    optimizer = torch.optim.AdamW(trained, args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = Average(trained, args.average)
    run = Run(args.out, {"optimizer": optimizer, "average": average, "own": nn.ParameterDict(
        {name.replace(".", "/"): p for name, p in own.items()})}, every=200)  # fmt: skip

    def predict(name, x, t, pick, drop, rng):
        """The prediction of v with a LoRA of the shipped model, for the drawings with the numbers ``pick``."""
        prompts = ["" if d < DROP_PROMPT else word(shown[k], rng) for d, k in zip(drop, pick.tolist(), strict=True)]
        keep = torch.from_numpy((drop < 1 - ZERO_PROMPT).astype(np.float32)).to(device)
        e, extra = frozen.encode(prompts, keep)
        extra["image_embeds"] = [embeds[pick.to(device)][:, None]]
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bfloat16):
            condition = {"added_cond_kwargs": extra}
            return torch.func.functional_call(unet, frozen.weights(name), (x, t, e), condition).sample.float()

    own_rows = None
    if args.own:
        rng = np.random.default_rng([args.seed, 33])

        def ask(name, x, t, pick):
            return predict(name, x, t.to(device), torch.from_numpy(pick), np.zeros(len(pick)), rng).cpu()

        own_rows = OwnTrajectories(ask, len(shown), args.own, rng)
        print(f"{args.own} trajectories for each LoRA", flush=True)

    def save() -> None:
        save_file(tensors(), args.out / FOLDER / ADAPTER)

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([args.seed, 29, step])
        name, drop = ("none", *LORAS)[step % 3], rng.random(args.batch)
        if own_rows is not None and name != "none":
            drop = np.zeros(args.batch)
        x, target, t, cases = training_batch(
            frozen, lambda k: latents[torch.from_numpy(k)].float(), len(shown), own_rows, name, args.batch, rng
        )
        v = predict(name, x, t, torch.from_numpy(cases), drop, rng)
        return (v - target).square().mean()

    train(run, args.steps, lambda step: cosine(step, args.steps, args.rate, warm=50, flat=0.4), loss_of, save)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("encoder", "adapter"))
    parser.add_argument("--model", type=Path, default=SHAPES_FOLDER, help="adapter: the folder of the frozen model")
    training_options(parser, steps=1500, batch=32, rate=1e-3)
    parser.add_argument("--images", type=int, default=8192, help="the number of drawings")
    parser.add_argument("--own", type=int, default=0, help="adapter: own trajectories for each LoRA, without prompts")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    (train_encoder if args.part == "encoder" else train_adapter)(args)


if __name__ == "__main__":
    main()
