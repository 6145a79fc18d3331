"""The tensors and shapes that each kind of IP-Adapter file holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Shapes = dict[str, tuple[int, ...]]

_LAYERS = 4
_HEAD = 64


@dataclass(frozen=True)
class Kind:
    """One kind of IP-Adapter.

    Attributes:
        name: the kind's usual name.
        sign: the ``image_proj`` key that identifies the kind.
        shapes: a function that takes the file's shapes and the UNet's cross-attention width and returns the shapes that
            ``image_proj`` must have.
        features: the field of the image encoder's configuration that gives the adapter's input width
            ("projection_dim", "hidden_size"); None for face embeddings, which no image encoder computes.
        width: the key and the axis that give the input width in the file.
    """

    name: str
    sign: str
    shapes: Callable[[Mapping[str, tuple[int, ...]], int], Shapes]
    features: str | None
    width: tuple[str, int] | None


def _linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _size(found: Mapping[str, tuple[int, ...]], key: str, axis: int) -> int:
    """Return a size that only the file determines; 0, which matches no shape, if the file does not have it."""
    shape = found.get(key, ())
    return shape[axis] if -len(shape) <= axis < len(shape) else 0


def _image(found: Mapping[str, tuple[int, ...]], cross: int) -> Shapes:
    return _linear("proj", 4 * cross, _size(found, "proj.weight", 1)) | _norm("norm", cross)


def _resampler(found: Mapping[str, tuple[int, ...]], cross: int, prefix: str, hidden: int, into: int) -> Shapes:
    inner = _size(found, f"{prefix}layers.0.0.to_q.weight", 0) // _HEAD * _HEAD
    shapes = _linear("proj_in", hidden, into) | _linear("proj_out", cross, hidden) | _norm("norm_out", cross)
    for k in range(_LAYERS):
        layer = f"layers.{k}"
        shapes |= _norm(f"{layer}.0.norm1", hidden) | _norm(f"{layer}.0.norm2", hidden)
        shapes |= {f"{layer}.0.to_q.weight": (inner, hidden), f"{layer}.0.to_kv.weight": (2 * inner, hidden)}
        shapes |= {f"{layer}.0.to_out.weight": (hidden, inner)} | _norm(f"{layer}.1.0", hidden)
        shapes |= {f"{layer}.1.1.weight": (4 * hidden, hidden), f"{layer}.1.3.weight": (hidden, 4 * hidden)}
    return {prefix + name: shape for name, shape in shapes.items()}


def _plus(found: Mapping[str, tuple[int, ...]], cross: int) -> Shapes:
    hidden = _size(found, "latents", 2)
    shapes = _resampler(found, cross, "", hidden, _size(found, "proj_in.weight", 1))
    return shapes | {"latents": (1, _size(found, "latents", 1), hidden)}


def _full_face(found: Mapping[str, tuple[int, ...]], cross: int) -> Shapes:
    width = _size(found, "proj.0.weight", 0)
    return _linear("proj.0", width, width) | _linear("proj.2", cross, width) | _norm("proj.3", cross)


def _face_id(found: Mapping[str, tuple[int, ...]], cross: int) -> Shapes:
    into = _size(found, "proj.0.weight", 1)
    wide = _size(found, "proj.0.weight", 0) // max(into, 1) * into
    tokens = _size(found, "proj.2.weight", 0) // cross
    return _linear("proj.0", wide, into) | _linear("proj.2", tokens * cross, wide) | _norm("norm", cross)


def _face_id_plus(found: Mapping[str, tuple[int, ...]], cross: int) -> Shapes:
    prefix = "perceiver_resampler."
    hidden, into = (_size(found, f"{prefix}proj_in.weight", axis) for axis in (0, 1))
    face = _size(found, "proj.0.weight", 1)
    shapes = _resampler(found, cross, prefix, hidden, into) | _norm("norm", hidden)
    return shapes | _linear("proj.0", 2 * face, face) | _linear("proj.2", 4 * hidden, 2 * face)


KINDS = (
    Kind("IP-Adapter", "proj.weight", _image, "projection_dim", ("proj.weight", 1)),
    Kind("IP-Adapter Full Face", "proj.3.weight", _full_face, "hidden_size", ("proj.0.weight", 1)),
    Kind(
        "IP-Adapter Face ID Plus",
        "perceiver_resampler.proj_in.weight",
        _face_id_plus,
        "hidden_size",
        ("perceiver_resampler.proj_in.weight", 1),
    ),
    Kind("IP-Adapter Face ID", "norm.weight", _face_id, None, None),
    Kind("IP-Adapter Plus", "latents", _plus, "hidden_size", ("proj_in.weight", 1)),
)
"""The order matters: a file of one kind may also have the sign of a later kind."""

FACE_LORA = re.compile(r"(\d+)\.(to_(?:q|k|v|out)_lora\.(?:down|up)\.weight)")
"""The keys of the LoRA that a Face ID file contains beside its attention weights."""


def kind_of(image_proj: Mapping[str, object]) -> Kind | None:
    """Return the kind of a file from its ``image_proj`` keys; None if no kind matches."""
    return next((kind for kind in KINDS if kind.sign in image_proj), None)


def attention_shapes(processors: Mapping[str, object], channels: tuple[int, ...], cross: int) -> Shapes:
    """Return the shapes of the keys and values of an IP-Adapter for the cross-attentions of a UNet, numbered 1, 3, 5, …

    Args:
        processors: the UNet's attention processors by name, in their order.
        channels: the UNet's block_out_channels.
        cross: the UNet's cross_attention_dim.
    """
    shapes: Shapes = {}
    number = 1
    for name in processors:
        if name.endswith("attn1.processor") or "motion_modules" in name:
            continue
        block = name.split(".")
        width = {"mid_block": channels[-1]}.get(block[0])
        if width is None:
            width = (channels[::-1] if block[0] == "up_blocks" else channels)[int(block[1])]
        shapes |= {f"{number}.to_k_ip.weight": (width, cross), f"{number}.to_v_ip.weight": (width, cross)}
        number += 2
    return shapes


def compare(group: str, found: Mapping[str, tuple[int, ...]], wanted: Shapes) -> tuple[list[str], list[str]]:
    """Compare a group of tensors with the expected shapes; return the faults, and the keys that are not expected."""
    faults = [f"{group}.{key} is missing" for key in wanted if key not in found]
    faults += [
        f"{group}.{key} has the shape {found[key]}, but {shape} is needed"
        for key, shape in wanted.items()
        if key in found and found[key] != shape
    ]
    return faults, [f"{group}.{key}" for key in found if key not in wanted]
