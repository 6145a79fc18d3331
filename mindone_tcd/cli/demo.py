"""``mindone-tcd demo``: a web page that runs the tasks of a model."""

from __future__ import annotations

import argparse
import re
import sys
import threading

from ..demo.app import HOST, PORT, require_gradio, serving
from ..demo.offers import offers
from ..demo.options import KEPT, Options
from ..errors import UsageError
from ..generate.request import DTYPES, whole_number
from ..shapes.folder import SHAPES
from .arguments import integer
from .pipeline import suppressed_library_output


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser(
        "demo",
        parents=[parents["debug"], parents["hub"]],
        help="serve a web page that generates images",
        description="Serve a web page for the tasks of a model. It needs gradio: the extra [demo].",
    )
    demo.add_argument("--host", default=HOST, help=f"the address to listen on (default: {HOST}, only this machine)")
    demo.add_argument("--port", type=integer, default=PORT, help=f"the port (default: {PORT})")
    demo.add_argument("--share", action="store_true", help="make the page public, through a server of gradio's makers")
    demo.add_argument("--model", default=SHAPES, help="a shipped model, a folder, or a hub id (default: shapes)")
    demo.add_argument("--lora", help="a folder, a .safetensors file or a hub id instead of the recipe's; or 'none'")
    demo.add_argument(
        "--controlnet", action="append", default=[], metavar="KIND=MODEL", help="a ControlNet for --model; repeatable"
    )
    demo.add_argument("--motion-adapter", metavar="MODEL", help="a motion adapter for --model")
    demo.add_argument("--dtype", choices=DTYPES, help="default: float32 on a CPU, float16 on Ascend")
    demo.add_argument("--keep", type=integer, default=KEPT, help=f"how many pipelines stay in memory (default: {KEPT})")
    demo.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    options = Options(
        model=args.model,
        lora=args.lora,
        controlnets=_controlnets(args.controlnet),
        motion_adapter=args.motion_adapter,
        dtype=args.dtype,
        kept=whole_number(args.keep, "--keep", 1),
    )
    port = whole_number(args.port, "--port", 1, 65535)
    offers(options)
    require_gradio()
    with suppressed_library_output() as say, serving(options, args.host, port, args.share) as address:
        say(address)
        print("press Ctrl-C to stop", file=sys.stderr, flush=True)
        threading.Event().wait()
    return 0


def _controlnets(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        kind, equals, location = text.partition("=")
        if not equals or not location or not re.fullmatch(r"[a-z][a-z0-9_-]*", kind) or kind in found:
            raise UsageError(
                f"--controlnet is {text!r}; expected KIND=MODEL, such as canny=/models/controlnet-canny, and each kind "
                "once"
            )
        found[kind] = location
    return found
