"""The control images of a ControlNet or T2I-Adapter: how many a call takes, and their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...errors import UsageError, shown, warn_user
from ...files.images import open_image
from ..inputs import Inputs, Source
from ..parts import TITLES
from .feature import needed, resized, scale_of

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup

CONTROL_SCALE = 1.0
"""The default conditioning scale of the networks for the shipped model; the guides use 0.5 for SDXL."""
PUBLISHED_SCALE = 0.5

KINDS = ("canny", "depth", "normal")
"""The kinds of maps that can be computed from an image. Networks of other kinds need finished maps."""

ESTIMATED = ("depth", "normal")
"""The kinds that need a depth estimator for photos."""


def read_controls(given: Mapping[str, Any], setup: Setup, role: str) -> Inputs:
    """Check the control images of a call and their scales.

    Args:
        given: ``control``: an image, or a list with one for each network; ``control_scale``: a number, or a list.
        setup: what is loaded.
        role: ``controlnet`` or ``t2i-adapter``.

    Raises:
        UsageError: if the number of images or scales is wrong, or one is invalid.

    Warns:
        UsageWarning: if an image has no edges, or no shape on a background.
    """
    parts = setup.of(role)
    images = _one_each(needed(given, "control", setup.task, "the image to follow"), len(parts), "control", role)
    usual = CONTROL_SCALE if setup.model.shipped else PUBLISHED_SCALE
    scale = given.get("control_scale", usual)
    scales = list(scale) if isinstance(scale, Sequence) and not isinstance(scale, str) else [scale] * len(parts)
    if len(scales) != len(parts):
        raise UsageError(f"control_scale has {len(scales)} numbers for {len(parts)} {TITLES[role]}s; pass one for each")
    sources = []
    for part, is_map, image, number in zip(parts, setup.given_maps, images, scales, strict=True):
        opened = open_image(image, "control")
        if not is_map and part.kind not in KINDS:
            raise UsageError(
                f"no {part.kind} map can be computed from an image, only: {', '.join(KINDS)}; pass a finished map: "
                f"the kind {part.kind}-map"
            )
        number = scale_of(number, "control_scale")
        source = Source("control", opened, part.kind, is_map, number)
        _warn_of_an_empty_map(source, setup)
        sources.append(source)
    return Inputs(tuple(sources))


def _one_each(value: Any, count: int, name: str, role: str) -> list[Any]:
    several = isinstance(value, list | tuple)
    images = list(value) if several else [value]
    if len(images) != count:
        raise UsageError(f"{name} has {len(images)} images for {count} {TITLES[role]}s; pass one for each")
    return images


def _warn_of_an_empty_map(source: Source, setup: Setup) -> None:
    if source.is_map or (source.kind != "canny" and not setup.model.shipped):
        pixels = np.asarray(source.given.image)
        empty = source.is_map and bool((pixels == pixels[0, 0]).all())
    else:
        pixels = np.asarray(drawn_map(source.kind, source.given.image))
        empty = bool((pixels == pixels[0, 0]).all())
    if empty:
        name = source.given.name
        label = "the control image" if name is None else f"control {shown(name)}"
        what = "is a uniform map" if source.is_map else f"shows nothing that a {source.kind} map could contain"
        warn_user(f"{label} {what}, so the result follows only the prompt")


def control_maps(request: Request, setup: Setup) -> list[Image.Image]:
    """Return the map of each control image, RGB, in the request's size."""
    size = request.width, request.height
    maps = []
    for source in request.inputs.of("control"):
        image = resized(source.given.image, size)
        if source.is_map:
            maps.append(image)
        elif setup.model.shipped or source.kind == "canny":
            maps.append(drawn_map(source.kind, image))
        else:
            from .depth_estimator import estimated_map

            maps.append(estimated_map(source.kind, image, setup.depth_model))
    return maps


def drawn_map(kind: str, image: Image.Image) -> Image.Image:
    """Return the edges of an image, or the depth or normal map of a drawing."""
    from ...shapes import maps

    functions = {"canny": maps.edges, "depth": maps.depth, "normal": maps.normals}
    square = image
    if kind != "canny" and image.width != image.height:  # the maps of drawings are computed on a square
        side = max(image.size)
        square = image.resize((side, side), Image.Resampling.LANCZOS)
    found = Image.fromarray(functions[kind](np.asarray(square)))
    return resized(found, image.size, nearest=True)


def single_or_list(values: list[Any]) -> Any:
    """Return the only value of a list, or the list: pipelines with one network take one image."""
    return values[0] if len(values) == 1 else values
