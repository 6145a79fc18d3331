"""Check that a configuration does not require a larger model than its weights can fill, before the model is built.

Only values that are too large raise an error. A value that is too small costs no memory, and loading reports the keys
that do not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import UsageError, shown
from .safetensors import Header

Shapes = Mapping[str, tuple[int, ...]]

_LAYERS = ("layers", "layers_per_block", "depth", "depths")
_WIDTHS = ("channels", "_size", "_dim", "position_embeddings", "heads", "groups", "class_embeds", "dims")
_NO_WIDTHS = ("sample_size", "image_size", "patch_size", "crop_size", "kernel_size")
_SMALL = 4096
"""A size up to this value costs little memory in any model. The later check of all keys reports it more precisely."""

_DEEPEST = 12
_UNETS = ("UNet2DConditionModel", "ControlNetModel", "UNetMotionModel")
_DIFFUSERS_DEFAULTS = {
    "UNet": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1280},
    "VAE": {"block_out_channels": [64], "layers_per_block": 1},
}


def shapes_of(headers: Iterable[Header]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors in a model's files, by key."""
    return {key: entry.shape for header in headers for key, entry in header.tensors.items()}


def check_config(config: Mapping[str, Any], shapes: Shapes, kind: str | None, where: object) -> None:
    """Check that a configuration does not require more or larger layers than the weights have.

    Args:
        config: the model's configuration; :mod:`~mindone_tcd.files.config_fields` has checked the types of its fields.
        shapes: the shapes of the model's weights by key, from the file headers.
        kind: the model's class. For a class that this module does not know, the limits are looser.
        where: the configuration's file, for the error message.

    Raises:
        UsageError: if a value is too large; the message names the file, the field, its value, and what the weights
            have.
    """
    found = _Found(shapes)
    found.bound(config, where)
    if kind in _UNETS:
        _check_blocks(_DIFFUSERS_DEFAULTS["UNet"] | dict(config), found, "", where)
        _check_unet(config, found, where)
    elif kind == "AutoencoderKL":
        for side in ("encoder.", "decoder."):
            _check_blocks(_DIFFUSERS_DEFAULTS["VAE"] | dict(config), found, side, where)
    elif kind is not None and kind.startswith("CLIP"):
        _check_clip(config, found, where)


class _Found:
    """The sizes and layer counts that follow from the keys and shapes of the weights."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.axis = max((axis for shape in shapes.values() for axis in shape), default=1)
        self.numbers: dict[str, set[str]] = {}
        """The numbers that follow each key prefix; a prefix ends with a dot."""
        for key in shapes:
            # No model nests deeper. Without the limit, a key of many dots takes quadratic time and memory.
            names, start = key.split(".", _DEEPEST)[:_DEEPEST], ""
            for name in names:
                if name.isdecimal() and len(name) < 10:
                    self.numbers.setdefault(start, set()).add(name)
                start += f"{name}."
        self.longest = max(map(len, self.numbers.values()), default=1)

    def width(self, begin: str, end: str, axis: int) -> int:
        """Return the largest size of one axis among the keys with this prefix and suffix; of all keys if none match."""
        sizes = (
            shape[axis]
            for key, shape in self.shapes.items()
            if key.startswith(begin) and key.endswith(end) and len(shape) > axis
        )
        return max(sizes, default=self.axis)

    def _fields(self, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the fields of a configuration and of its nested configurations for towers that the weights have."""
        for name, value in config.items():
            if not isinstance(value, dict):
                yield name, value
            elif (tower := name.removesuffix("_config")) == name or any(
                f"{tower}_model." in key for key in self.shapes
            ):
                yield from value.items()

    def bound(self, config: Mapping[str, Any], where: object) -> None:
        """Compare each number of a configuration, of any class, with the longest layer list and the largest axis."""
        for name, value in self._fields(config):
            if isinstance(value, list) and len(value) > max(self.longest, 256):
                _refuse(where, name, f"a list of {len(value)}", f"no list longer than {self.longest}")
            for number in _numbers(value):
                if name.endswith(_LAYERS) and number > self.longest:
                    _refuse(where, name, value, f"no more than {self.longest} layers in a row")
                if name.endswith(_WIDTHS) and not name.endswith(_NO_WIDTHS) and number > max(self.axis, _SMALL):
                    _refuse(where, name, value, f"no size above {self.axis}")


def _numbers(value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    flat = [inner for outer in values for inner in (outer if isinstance(outer, list) else [outer])]
    return [number for number in flat if type(number) is int]


def _each(value: Any, count: int) -> list[Any]:
    """Expand a field that has one value for all blocks to one value per block."""
    return value if isinstance(value, list) else [value] * count


def _check_blocks(config: Mapping[str, Any], found: _Found, side: str, where: object) -> None:
    """Check the blocks of a UNet (``side`` is empty), or of the encoder or decoder of a VAE."""
    widths, blocks = config["block_out_channels"], f"{side}{'up' if side == 'decoder.' else 'down'}_blocks."
    if not isinstance(widths, list) or not found.numbers.get(blocks):
        return
    count = len(found.numbers[blocks])
    if len(widths) > count:
        _refuse(where, "block_out_channels", widths, f"{count} blocks")
    for name in ("down_block_types", "up_block_types"):
        if isinstance(config.get(name), list) and len(config[name]) != len(widths):
            raise UsageError(
                f"{where}: {name} has {len(config[name])} entries and block_out_channels {len(widths)}; "
                "expected one entry of each per block: fetch or save the model again"
            )
    layers = _each(config["layers_per_block"], len(widths))
    ordered = widths[::-1] if side == "decoder." else widths
    for number, (width, wanted) in enumerate(zip(ordered, layers, strict=False)):
        block = f"{blocks}{number}."
        there = len(found.numbers.get(f"{block}resnets.", ()))
        if there and wanted > there:
            _refuse(where, "layers_per_block", config["layers_per_block"], f"{there} layers in {block[:-1]}")
        # Uses the largest value of all layers: loading reports a single damaged key more precisely.
        widest = found.width(f"{block}resnets.", "conv1.weight", 0)
        if width > widest:
            _refuse(where, "block_out_channels", widths, f"{widest} channels in {block[:-1]}")
    groups = config.get("norm_num_groups")
    if type(groups) is int and any(width % groups for width in widths):
        raise UsageError(
            f"{where}: norm_num_groups is {groups}, which does not divide block_out_channels {shown(widths)}; "
            "fetch or save the model again"
        )


def _check_unet(config: Mapping[str, Any], found: _Found, where: object) -> None:
    widths = config.get("block_out_channels", _DIFFUSERS_DEFAULTS["UNet"]["block_out_channels"])
    types = config.get("down_block_types")
    across = found.width("", "attn2.to_k.weight", 1)
    for name, most in (
        ("in_channels", found.width("conv_in.", "weight", 1)),
        ("out_channels", found.width("conv_out.", "weight", 0)),
        ("cross_attention_dim", across),
        ("time_embedding_dim", found.width("time_embedding.", "weight", 0)),
        ("time_cond_proj_dim", found.width("time_embedding.cond_proj.", "weight", 1)),
    ):
        _check_size(config, name, most, where)
    depths = _each(config.get("transformer_layers_per_block", 1), len(widths))
    heads = config.get("num_attention_heads") or config.get("attention_head_dim", 8)
    name = "num_attention_heads" if config.get("num_attention_heads") else "attention_head_dim"
    per_block = _each(heads, len(widths))
    if len(per_block) != len(widths):
        _refuse(where, name, heads, f"{len(widths)} blocks")
    for number, (width, depth) in enumerate(zip(widths, depths, strict=False)):
        attentions = f"down_blocks.{number}.attentions."
        if not found.numbers.get(attentions):
            continue
        there = len(found.numbers.get(f"{attentions}0.transformer_blocks.", ()))
        if type(depth) is int and there and depth > there:
            _refuse(where, "transformer_layers_per_block", depth, f"{there} layers in {attentions}0")
        cross = isinstance(types, list) and number < len(types) and "CrossAttn" in str(types[number])
        if cross and (per_block[number] > width or width % per_block[number]):
            raise UsageError(
                f"{where}: {name} is {shown(heads)}; expected numbers that divide block_out_channels {shown(widths)}: "
                "fetch or save the model again"
            )


def _check_size(config: Mapping[str, Any], name: str, most: int, where: object) -> None:
    if any(number > max(most, 64) for number in _numbers(config.get(name))):
        _refuse(where, name, config[name], f"the size {most} there")


def _check_clip(config: Mapping[str, Any], found: _Found, where: object) -> None:
    hidden = found.width("", "layer_norm1.weight", 0)
    for name, most in (
        ("hidden_size", hidden),
        ("intermediate_size", found.width("", "mlp.fc1.weight", 0)),
    ):
        _check_size(config, name, most, where)
    layers = next((len(v) for k, v in found.numbers.items() if k.endswith("encoder.layers.")), 0)
    if layers and any(number > layers for number in _numbers(config.get("num_hidden_layers"))):
        _refuse(where, "num_hidden_layers", config["num_hidden_layers"], f"{layers} layers")
    for heads, width in zip(
        _numbers(config.get("num_attention_heads")), _numbers(config.get("hidden_size")), strict=False
    ):
        if width % heads:
            raise UsageError(
                f"{where}: num_attention_heads is {heads}; expected a number that divides hidden_size {width}: "
                "fetch or save the model again"
            )


def _refuse(where: object, name: str, value: Any, there: str) -> None:
    raise UsageError(
        f"{where}: {name} is {shown(value)}, but the weights have {there}; "
        "fetch config.json and the weights again, both from the same model"
    )
