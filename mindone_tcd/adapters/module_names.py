"""The names that LoRA files use for modules: flat names with underscores (kohya), and sgm block names."""

from __future__ import annotations

import re
from collections.abc import Iterable

_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_TOP = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def sgm_name(path: str, layers_per_block: int, attention_blocks: Iterable[str]) -> str | None:
    """Return the name of a UNet module in Stability AI's sgm code, which many style LoRAs for SDXL use.

    sgm numbers the blocks consecutively: ``down_blocks.1.attentions.0`` is ``input_blocks.4.1`` with two layers in
    each block.

    Args:
        path: the module's path in diffusers' UNet.
        layers_per_block: the UNet's; an up block has one more layer.
        attention_blocks: the blocks that contain attentions ("up_blocks.0"); their upsampler follows the attentions.

    Returns:
        The sgm name; None if sgm has no such module.
    """
    if path in _TOP:
        return _TOP[path]
    if match := _MIDDLE.fullmatch(path):
        kind, index, rest = match.groups()
        place = 1 if kind == "attentions" else 2 * int(index)
        return f"middle_block.{place}.{_inner(kind, rest)}"
    if not (match := _BLOCK.fullmatch(path)):
        return None
    side, block, kind, layer, rest = match.groups()
    run = layers_per_block + 1
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{int(block) * run + run}.0.op" if rest == "conv" else None
        position = 1 + int(block) * run + int(layer)
        return f"input_blocks.{position}.{int(kind == 'attentions')}.{_inner(kind, rest)}"
    if kind == "upsamplers":
        inner = 2 if f"up_blocks.{block}" in set(attention_blocks) else 1
        return f"output_blocks.{int(block) * run + layers_per_block}.{inner}.{rest}"
    position = int(block) * run + int(layer)
    return f"output_blocks.{position}.{int(kind == 'attentions')}.{_inner(kind, rest)}"


def _inner(kind: str, rest: str) -> str:
    return _RESNET.get(rest, rest) if kind == "resnets" else rest


def flat_names(paths: Iterable[str], layers_per_block: int | None = None) -> dict[str, str]:
    """Map every name that a kohya file may use for a module to the module's path.

    Args:
        paths: the paths of a model's modules.
        layers_per_block: the UNet's, to add the sgm names; None for a text encoder.

    Raises:
        ValueError: if two modules share a flat name, so that a file could not distinguish them.
    """
    paths = list(paths)
    attention_blocks = {".".join(path.split(".")[:2]) for path in paths if ".attentions." in path}
    names: dict[str, str] = {}
    for path in paths:
        spellings = {path}
        if layers_per_block is not None and (sgm := sgm_name(path, layers_per_block, attention_blocks)):
            spellings.add(sgm)
        for spelling in spellings:
            flat = spelling.replace(".", "_")
            if names.setdefault(flat, path) != path:
                raise ValueError(f"modules {names[flat]} and {path} share the name {flat}")
    return names
