"""The arguments of ``generate`` that choose its task: images to start from, control images, references, styles."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..generate.parts import TITLES
from ..generate.plan import Extras
from .arguments import integer, number


def add_task_arguments(parser: argparse.ArgumentParser, files: bool = True) -> None:
    """Add the arguments to a parser, in one group for each task.

    Args:
        parser: the parser of a command.
        files: whether the command writes clips and control maps; else it has no arguments for them.
    """
    group = parser.add_argument_group(
        "image to image", 'example: generate "a blue star on a white background" --image circle.png --strength 0.6'
    )
    group.add_argument("--image", help="the image to start from: a file or a URL")
    group.add_argument("--strength", type=number, help="from 0 (unchanged) to 1 (ignored); default: 0.6, with --mask 1")

    group = parser.add_argument_group(
        "inpainting", 'example: generate "a red star on a green background" --image in.png --mask mask.png'
    )
    group.add_argument("--mask", help="an image that is white where --image changes")

    group = parser.add_argument_group(
        "ControlNet", 'example: generate "a red star on a blue background" --control canny:photo.png'
    )
    group.add_argument(
        "--control",
        action="append",
        default=[],
        metavar="KIND:IMAGE[:SCALE]",
        help="follow the canny, depth or normal map of an image; KIND-map uses the image as the map; repeatable",
    )
    group.add_argument(
        "--controlnet", action="append", default=[], metavar="KIND=MODEL", help="a folder or hub id for a kind"
    )
    group.add_argument("--depth-model", metavar="MODEL", help="the DPT model that estimates depths of photos")
    if files:
        group.add_argument("--save-control", action="store_true", help="also write the maps, beside the image")

    group = parser.add_argument_group(
        "T2I-Adapter", 'example: generate "a red star on a blue background" --t2i canny:photo.png'
    )
    group.add_argument(
        "--t2i", action="append", default=[], metavar="KIND:IMAGE[:SCALE]", help="as --control, by a T2I-Adapter"
    )
    group.add_argument(
        "--t2i-adapter", action="append", default=[], metavar="KIND=MODEL", help="a folder or hub id for a kind"
    )

    group = parser.add_argument_group("IP-Adapter", 'example: generate "" --reference star.png')
    group.add_argument("--reference", metavar="IMAGE[:SCALE]", help="an image to resemble; SCALE is from 0 to 1")
    group.add_argument("--ip-adapter", metavar="MODEL", help="a folder, file or hub id instead of the usual one")

    group = parser.add_argument_group("styles", 'example: generate "a red star on a blue background" --style badge:0.8')
    group.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="LORA[:WEIGHT]",
        help="a style LoRA: its name, a file, a folder or a hub id; repeatable",
    )

    if not files:
        parser.set_defaults(save_control=False, frames=None, motion=[], motion_adapter=None)
        return
    group = parser.add_argument_group(
        "animation", 'example: generate "a red circle moving right on a blue background" --frames 16 --out film.gif'
    )
    group.add_argument("--frames", type=integer, help="generate a clip: .gif, .png (animated) or .mp4")
    group.add_argument(
        "--motion", action="append", default=[], metavar="LORA[:WEIGHT]", help="a motion LoRA: zoom-in, …; repeatable"
    )
    group.add_argument("--motion-adapter", metavar="MODEL", help="a folder or hub id instead of the usual one")


_NETWORK_FLAGS = {"--control": "--controlnet", "--t2i": "--t2i-adapter"}
"""For the flag of control images, the flag of their networks."""


@dataclass(frozen=True)
class Asked:
    """What the arguments ask for.

    Attributes:
        task: the task.
        extras: what is loaded beside the model.
        call: the arguments of the call that depend on the task.
    """

    task: str
    extras: Extras
    call: dict[str, Any]


def asked(args: argparse.Namespace) -> Asked:
    """Determine the task from the arguments.

    Raises:
        UsageError: if arguments do not combine, or one has the wrong form.
    """
    _check(args)
    call: dict[str, Any] = {"image": args.image, "mask": args.mask, "strength": args.strength, "frames": args.frames}
    extras: dict[str, Any] = {"depth_model": args.depth_model, "motion_adapter": args.motion_adapter}
    for flag, key, given, networks in (
        ("--control", "control", args.control, args.controlnet),
        ("--t2i", "t2i", args.t2i, args.t2i_adapter),
    ):
        if given:
            entries, images, scales = _controls(flag, given, networks)
            extras[key] = entries
            call["control"] = images
            if any(scale is not None for scale in scales):
                if None in scales:
                    raise UsageError(f"{flag} has a scale for some images only; give one for each, or for none")
                call["control_scale"] = scales
    if args.reference is not None:
        call["reference"], call["reference_scale"] = weighted(args.reference)
        extras["ip_adapter"] = args.ip_adapter or True
    for key in ("style", "motion"):
        loras = [weighted(text) for text in getattr(args, key)]
        extras[key] = [(name, 1.0 if weight is None else weight) for name, weight in loras] or None
    return Asked(_task(args), Extras(**extras), {name: value for name, value in call.items() if value is not None})


def _task(args: argparse.Namespace) -> str:
    if args.frames is not None or args.motion:
        return "animate"
    if args.mask is not None:
        return "inpainting"
    if args.image is not None:
        return "image-to-image"
    if args.control:
        return "controlnet"
    if args.t2i:
        return "t2i-adapter"
    return "text-to-image" if args.reference is None else "ip-adapter"


def _check(args: argparse.Namespace) -> None:
    """Check that each argument has the one that it belongs to, and that the tasks combine."""
    for flag, value, needed, other in (
        ("--mask", args.mask, "--image", args.image),
        ("--strength", args.strength, "--image", args.image),
        ("--ip-adapter", args.ip_adapter, "--reference", args.reference),
        ("--controlnet", args.controlnet, "--control", args.control),
        ("--t2i-adapter", args.t2i_adapter, "--t2i", args.t2i),
        ("--depth-model", args.depth_model, "--control or --t2i", args.control or args.t2i),
        ("--save-control", args.save_control, "--control or --t2i", args.control or args.t2i),
        ("--motion-adapter", args.motion_adapter, "--frames", args.frames is not None or args.motion),
    ):
        if value not in (None, [], "") and value is not False and not other:
            raise UsageError(f"{flag} needs {needed}; add it, or leave {flag} out")
    if args.frames is not None or args.motion:
        for flag, value in (("--image", args.image), ("--control", args.control), ("--t2i", args.t2i)):
            if value:
                raise UsageError(f"{flag} and --frames do not combine: clips start from text only; leave one out")
    if args.control and args.t2i:
        raise UsageError(
            "--control and --t2i do not combine: no pipeline has a ControlNet and a T2I-Adapter; leave one out"
        )


def weighted(text: str) -> tuple[str, float | None]:
    """Split ``NAME:NUMBER``; the number is None if there is none. A URL's port is not a number."""
    match = re.fullmatch(r"(.+):(-?\d+(?:\.\d*)?|-?\.\d+)", text, re.DOTALL)
    if match is None or re.fullmatch(r"https?://[^/]+", match[1], re.IGNORECASE):
        return text, None
    return match[1], float(match[2])


def _controls(
    flag: str, given: list[str], networks: list[str]
) -> tuple[list[tuple[str, str | None]], list[str], list[float | None]]:
    """Return the kinds with their networks, the images and the scales of a flag's values."""
    locations: dict[str, str] = {}
    for text in networks:
        kind, location = _network(text)
        if locations.setdefault(kind, location) != location:
            raise UsageError(f"{_NETWORK_FLAGS[flag]} names several networks for the kind {kind}; name one")
    entries: list[tuple[str, str | None]] = []
    images: list[str] = []
    scales: list[float | None] = []
    for text in given:
        kind, colon, rest = text.partition(":")
        image, scale = weighted(rest)
        if not colon or not image or not re.fullmatch(r"[a-z][a-z0-9_-]*", kind):
            raise UsageError(f"{flag} is {text!r}; expected KIND:IMAGE[:SCALE], such as canny:photo.png:0.5")
        entries.append((kind, locations.get(kind.removesuffix("-map"))))
        images.append(image)
        scales.append(scale)
    unused = sorted(set(locations) - {kind.removesuffix("-map") for kind, _ in entries})
    if unused:
        raise UsageError(f"no {flag} has the kind {unused[0]}, for which a network is given; leave the network out")
    return entries, images, scales


def _network(text: str) -> tuple[str, str]:
    kind, equals, location = text.partition("=")
    if not equals or not kind or not location:
        title = TITLES["controlnet"]
        raise UsageError(f"{text!r} names no network; expected KIND=MODEL, such as canny=/models/{title.lower()}-canny")
    return kind, location


def default_suffix(task: str) -> str:
    """Return the suffix of a task's files if the user names none."""
    return ".gif" if task == "animate" else ".png"


def preview_file(out: Path) -> Path:
    """Return the file that shows an image while it is generated: ``out-preview.png``."""
    return out.with_name(f"{out.stem}-preview.png")


def control_files(out: Path, kinds: list[str]) -> list[Path]:
    """Return the files for the maps of an image: ``out-canny.png``; numbered if a kind occurs several times."""
    paths = []
    for k, kind in enumerate(kinds):
        number = f"-{kinds[:k].count(kind) + 1}" if kinds.count(kind) > 1 else ""
        paths.append(out.with_name(f"{out.stem}-{kind}{number}.png"))
    return paths
