"""``mindone-tcd export``: a model as graphs that run without mindone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import UsageError
from ..generate.plan import Extras, plan
from ..generate.request import DTYPES
from ..quantize.kinds import KINDS
from ..schedulers.methods import DEFAULT_METHOD, METHODS
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES
from . import pipeline
from .arguments import integer, size
from .task_arguments import weighted


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    make = commands.add_parser(
        "export",
        parents=[parents["debug"], parents["hub"]],
        help="write a model as MindIR graphs that run without mindone",
        description="Write a model with its LoRAs as MindIR graphs into a new folder. `generate --model FOLDER` and "
        "`load` run it without mindone, also on machines without the model.",
    )
    make.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to create")
    make.add_argument(
        "--model",
        default=SHAPES,
        help=f"a shipped model ({', '.join(PIPELINES)}), a folder, or a hub id (default: shapes)",
    )
    make.add_argument(
        "--method", choices=tuple(METHODS), help=f"the scheduler and its matching LoRA (default: {DEFAULT_METHOD})"
    )
    make.add_argument("--lora", help="a folder, a .safetensors file or a hub id instead of the recipe's; or 'none'")
    make.add_argument(
        "--style", action="append", default=[], metavar="LORA[:WEIGHT]", help="a style LoRA to fuse; repeatable"
    )
    make.add_argument(
        "--controlnet",
        action="append",
        default=[],
        metavar="KIND[=MODEL]",
        help="also export a ControlNet: canny, or canny=FOLDER; repeatable",
    )
    make.add_argument(
        "--size",
        type=size,
        action="append",
        metavar="PIXELS",
        help="a size of images, such as 128 or 192x128; repeatable (default: the model's own)",
    )
    make.add_argument("--batch", type=integer, default=1, help="images that a graph computes at once (default: 1)")
    make.add_argument("--dtype", choices=DTYPES[:2], help="default: float32 on a CPU, float16 on Ascend")
    make.add_argument("--quantize", choices=KINDS, help="8-bit weights in the UNet and the ControlNets")
    make.add_argument(
        "--whole", action="store_true", help="put the weights into each MindIR file, for converters of other runtimes"
    )
    make.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..generate.exporting import MOST_BATCH, check_exportable, check_target, checked_sizes
    from ..generate.request import whole_number

    styles = [weighted(text) for text in args.style]
    extras = Extras(
        control=_networks(args.controlnet) or None,
        style=[(name, 1.0 if weight is None else weight) for name, weight in styles] or None,
    )
    setup = plan("controlnet" if args.controlnet else "text-to-image", args.model, args.method, args.lora, extras)
    check_exportable(setup)
    checked_sizes(setup, args.size)
    whole_number(args.batch, "batch", 1, MOST_BATCH)
    check_target(args.out)
    pipe = pipeline.load(setup, args.dtype, None, quantize=args.quantize)
    print("exporting …", file=sys.stderr, flush=True)
    with pipeline.suppressed_library_output():
        from ..generate.exporting import export

        export(pipe, args.out, args.size, args.batch, whole=args.whole)
    print(args.out)
    return 0


def _networks(given: list[str]) -> list[tuple[str, str | None]]:
    networks = []
    for text in given:
        kind, equals, location = text.partition("=")
        if not kind or (equals and not location):
            raise UsageError(f"--controlnet is {text!r}; expected KIND, or KIND=MODEL such as canny=/models/canny")
        networks.append((kind, location or None))
    return networks
