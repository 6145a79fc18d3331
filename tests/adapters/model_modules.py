"""The modules of UNets and text encoders that can have a LoRA, computed only from their configurations."""

from __future__ import annotations

from dataclasses import dataclass, field

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class UNetConfig:
    """The configuration of a UNet; ``attention[i]`` is the number of transformer layers of block i, 0 for none."""

    channels: tuple[int, ...]
    attention: tuple[int, ...]
    middle: int
    cross: int
    linear: bool
    added: int | None = None
    layers: int = 2
    motion: bool = False
    motion_blocks: tuple[int, ...] = field(default=())


SDXL = UNetConfig((320, 640, 1280), (0, 2, 10), 10, 2048, True, added=2816)
SD15 = UNetConfig((320, 640, 1280, 1280), (1, 1, 1, 0), 1, 768, False)
SD21 = UNetConfig((320, 640, 1280, 1280), (1, 1, 1, 0), 1, 1024, True)


def unet_shapes(c: UNetConfig) -> Shapes:
    """The weight's shape by module path."""
    first, wide = c.channels[0], 4 * c.channels[0]
    found: Shapes = {
        "conv_in": (first, 4, 3, 3),
        "time_embedding.linear_1": (wide, first),
        "time_embedding.linear_2": (wide, wide),
        "conv_out": (4, first, 3, 3),
    }
    if c.added:
        found |= {"add_embedding.linear_1": (wide, c.added), "add_embedding.linear_2": (wide, wide)}
    last = len(c.channels) - 1
    skips = [first]
    now = first
    for i, out in enumerate(c.channels):
        for j in range(c.layers):
            found |= _resnet(f"down_blocks.{i}.resnets.{j}", now, out, wide)
            found |= _attention(f"down_blocks.{i}.attentions.{j}", out, c.attention[i], c)
            found |= _motion(f"down_blocks.{i}.motion_modules.{j}", out, c)
            now = out
            skips.append(out)
        if i != last:
            found[f"down_blocks.{i}.downsamplers.0.conv"] = (out, out, 3, 3)
            skips.append(out)
    for j in range(2):
        found |= _resnet(f"mid_block.resnets.{j}", now, now, wide)
    found |= _attention("mid_block.attentions.0", now, c.middle, c)
    found |= _motion("mid_block.motion_modules.0", now, c)
    for i, out in enumerate(reversed(c.channels)):
        for j in range(c.layers + 1):
            found |= _resnet(f"up_blocks.{i}.resnets.{j}", now + skips.pop(), out, wide)
            found |= _attention(f"up_blocks.{i}.attentions.{j}", out, c.attention[last - i], c)
            found |= _motion(f"up_blocks.{i}.motion_modules.{j}", out, c)
            now = out
        if i != last:
            found[f"up_blocks.{i}.upsamplers.0.conv"] = (out, out, 3, 3)
    return found


def _resnet(path: str, into: int, out: int, wide: int) -> Shapes:
    found = {"conv1": (out, into, 3, 3), "time_emb_proj": (out, wide), "conv2": (out, out, 3, 3)}
    if into != out:
        found["conv_shortcut"] = (out, into, 1, 1)
    return {f"{path}.{name}": shape for name, shape in found.items()}


def _attention(path: str, width: int, depth: int, c: UNetConfig) -> Shapes:
    if not depth:
        return {}
    projection = (width, width) if c.linear else (width, width, 1, 1)
    found = {f"{path}.proj_in": projection, f"{path}.proj_out": projection}
    for k in range(depth):
        found |= _transformer(f"{path}.transformer_blocks.{k}", width, c.cross)
    return found


def _transformer(path: str, width: int, cross: int) -> Shapes:
    found = {}
    for name, context in (("attn1", width), ("attn2", cross)):
        found |= {f"{path}.{name}.to_q": (width, width), f"{path}.{name}.to_out.0": (width, width)}
        found |= {f"{path}.{name}.to_k": (width, context), f"{path}.{name}.to_v": (width, context)}
    return found | {f"{path}.ff.net.0.proj": (8 * width, width), f"{path}.ff.net.2": (width, 4 * width)}


def _motion(path: str, width: int, c: UNetConfig) -> Shapes:
    if not c.motion:
        return {}
    found = {f"{path}.proj_in": (width, width), f"{path}.proj_out": (width, width)}
    return found | _transformer(f"{path}.transformer_blocks.0", width, width)


def text_shapes(width: int, layers: int, inner: int, projection: int | None = None) -> Shapes:
    """The weight's shape by module path of a CLIP text encoder."""
    found: Shapes = {}
    for k in range(layers):
        path = f"text_model.encoder.layers.{k}"
        found |= {f"{path}.self_attn.{name}_proj": (width, width) for name in ("k", "v", "q", "out")}
        found |= {f"{path}.mlp.fc1": (inner, width), f"{path}.mlp.fc2": (width, inner)}
    if projection:
        found["text_projection"] = (projection, width)
    return found


SDXL_TEXT = {"text_encoder": text_shapes(768, 12, 3072), "text_encoder_2": text_shapes(1280, 32, 5120, 1280)}
SD15_TEXT = {"text_encoder": text_shapes(768, 12, 3072)}


def sgm_names(c: UNetConfig) -> dict[str, str]:
    """From sgm's module names to diffusers' paths, in the order in which sgm creates its blocks."""
    pairs = {"input_blocks.0.0": "conv_in", "out.2": "conv_out"}
    pairs |= {"time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2"}
    if c.added:
        pairs |= {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
    shapes = unet_shapes(c)
    parts = {"in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.3": "conv2"}
    parts["skip_connection"] = "conv_shortcut"

    def resnet(sgm: str, path: str) -> None:
        pairs.update({f"{sgm}.{a}": f"{path}.{b}" for a, b in parts.items() if f"{path}.{b}" in shapes})

    def transformer(sgm: str, path: str) -> None:
        pairs.update({sgm + p.removeprefix(path): p for p in shapes if p.startswith(f"{path}.")})

    block, last = 1, len(c.channels) - 1
    for i in range(last + 1):
        for j in range(c.layers):
            resnet(f"input_blocks.{block}.0", f"down_blocks.{i}.resnets.{j}")
            transformer(f"input_blocks.{block}.1", f"down_blocks.{i}.attentions.{j}")
            block += 1
        if i != last:
            pairs[f"input_blocks.{block}.0.op"] = f"down_blocks.{i}.downsamplers.0.conv"
            block += 1
    resnet("middle_block.0", "mid_block.resnets.0")
    transformer("middle_block.1", "mid_block.attentions.0")
    resnet("middle_block.2", "mid_block.resnets.1")
    block = 0
    for i in range(last + 1):
        for j in range(c.layers + 1):
            resnet(f"output_blocks.{block}.0", f"up_blocks.{i}.resnets.{j}")
            transformer(f"output_blocks.{block}.1", f"up_blocks.{i}.attentions.{j}")
            block += 1
        if i != last:
            inside = 1 + (c.attention[last - i] > 0)
            pairs[f"output_blocks.{block - 1}.{inside}.conv"] = f"up_blocks.{i}.upsamplers.0.conv"
    return pairs
