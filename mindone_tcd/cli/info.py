"""``mindone-tcd info``: the record of an image, and the same image again."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..generate.again import Again, check_same_weights, plan_again, sources_of
from ..generate.any_record import read_any_record
from ..generate.generated_clip import GeneratedClip
from ..generate.generated_image import GeneratedImage
from ..generate.record_fields import visible
from . import pipeline
from .output import output_paths, save

if TYPE_CHECKING:
    import numpy as np

    from ..generate.loaded import LoadedPipeline


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    show = commands.add_parser(
        "info",
        parents=[parents["debug"], parents["hub"]],
        help="show how an image was generated, or repeat it",
        description=run.__doc__,
    )
    show.add_argument("image", type=Path, help="a PNG or GIF that mindone-tcd wrote")
    show.add_argument("--again", action="store_true", help="generate the same image again and compare")
    show.add_argument("--out", type=Path, help="with --again: the file to write (default: NAME-again, or a new name)")
    show.add_argument("--overwrite", action="store_true", help="with --again: replace an existing file")
    show.add_argument("--model", help="with --again: the model, if the record's is not 'shapes': a folder, or a hub id")
    show.add_argument("--lora", help="with --again: the LoRA, if the record's is not the recipe's; or 'none'")
    show.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="ROLE=MODEL",
        help="with --again: a ControlNet, adapter or style LoRA of the record, such as controlnet=FOLDER; repeatable",
    )
    show.add_argument(
        "--inputs",
        type=Path,
        metavar="FOLDER",
        help="with --again: where the input images are (default: the folder of the image, then the current one)",
    )
    show.add_argument(
        "--trust-record",
        action="store_true",
        help="with --again: open, or download, the models and input images that the record names",
    )
    show.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the record of how an image was generated. With --again, generate the same image again and compare the
    pixels; the exit code is 1 if they differ. A record alone opens only the model and LoRA in the package: name others
    with --model and --lora, or add --trust-record.
    """
    record = read_any_record(args.image)
    if not args.again:
        for name in ("out", "overwrite", "model", "lora", "part", "inputs", "trust_record"):
            if getattr(args, name) not in (None, False, []):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} needs --again; leave it out, or add --again")
        print(visible(json.dumps(record, indent=2, ensure_ascii=False), keep="\n"))
        return 0
    if "grid" in record:
        raise UsageError(f"{args.image} is a grid of images; repeat each image from its own file")
    if args.out and args.out.exists() and args.out.samefile(args.image):
        raise UsageError(f"--out {args.out} is the image itself; choose another name, so that the two can be compared")
    folders = [args.inputs] if args.inputs else None
    again = plan_again(record, args.image, args.model, args.lora, args.trust_record, _parts(args.part), folders)
    old = _pixels(args.image, record)
    default = args.image.with_name(f"{args.image.stem}-again{args.image.suffix}")
    (out,) = output_paths(args, default, lambda out: [out], clips=1 if again.setup.animated else 0)
    check_same_weights(record, sources_of(again))
    pipe = pipeline.load(again.setup, again.dtype, again.form, quantize=again.quantize)
    for remark in check_same_weights(record, pipe.sources()):
        print(f"warning: {remark}", file=sys.stderr)
    generated = _repeat(pipe, again, record["seed"])
    # The new file is read again, too, because a GIF stores fewer colors than the clip has.
    new = _pixels(save(generated, out, args.overwrite), record)
    return 0 if _compare(old, new, record, generated.record) else 1


def _parts(given: list[str]) -> dict[str, str]:
    parts = {}
    for text in given:
        role, equals, location = text.partition("=")
        if not equals or not role or not location:
            raise UsageError(f"--part is {text!r}; expected ROLE=MODEL, such as controlnet=/models/controlnet-canny")
        parts[role] = location
    return parts


def _repeat(pipe: LoadedPipeline, again: Again, seed: int) -> GeneratedImage | GeneratedClip:
    return {image.record["seed"]: image for image in pipe.make_batch(again.request, again.seeds)}[seed]


def _pixels(path: Path, record: dict) -> np.ndarray:
    """Return the RGB values of a PNG or GIF, int16 (frames, height, width, 3).

    Raises:
        UsageError: if its size is not the size that its record states, or it cannot be read.
    """
    import numpy as np
    from PIL import Image, ImageSequence

    stated = record["width"], record["height"]
    try:
        # Reads only the header, and Pillow's limit of pixels applies only to decoding.
        with Image.open(path, formats=["PNG", "GIF"]) as image:
            if image.size != stated:
                raise UsageError(
                    f"{path} has {image.width}x{image.height} pixels, but its record states {stated[0]}x{stated[1]}: "
                    "the record is not that of this image"
                )
            frames = itertools.islice(ImageSequence.Iterator(image), record.get("frames", 1))
            return np.stack([np.asarray(frame.convert("RGB"), np.int16) for frame in frames])
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read as an image ({error}); pass a file that mindone-tcd wrote") from error


def _compare(old: np.ndarray, new: np.ndarray, then: dict, now: dict) -> bool:
    if old.shape == new.shape and (old == new).all():
        print("the same pixels", file=sys.stderr)
        return True
    away = int(abs(old - new).max()) if old.shape == new.shape else 255
    changed = [
        f"{name} {then.get(name)!r} then, {now[name]!r} now"
        for name in ("device", "kernels", "versions")
        if then.get(name) != now[name]
    ]
    cause = "; ".join(changed) or "the file was changed since, or another processor rounds differently"
    print(visible(f"not the same pixels: up to {away} of 255 apart; {cause}"), file=sys.stderr)
    return False
