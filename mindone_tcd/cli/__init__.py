"""``mindone-tcd``, with a file for each of its commands. It checks all arguments before it imports MindSpore."""

from __future__ import annotations

import argparse
import io
import sys
import traceback
import warnings

from ..errors import UsageError, UsageWarning
from ..files.hub import HUBS, VARIABLE, using
from ..generate.record_fields import visible
from ..version import __version__
from . import compare, demo, export, generate, info, selftest
from .arguments import EXAMPLES, Parser


def parser() -> argparse.ArgumentParser:
    command = Parser(
        prog="mindone-tcd",
        description="Generate images from prompts in a few steps, on MindSpore.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--version", action="version", version=f"mindone-tcd {__version__}")
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    hub = argparse.ArgumentParser(add_help=False)
    hub.add_argument("--hub", choices=HUBS, help=f"the hub for hub ids (default: ${VARIABLE}, or {HUBS[0]})")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")

    parents = {"debug": debug, "hub": hub}
    for each in (generate, info, compare, export, demo, selftest):
        each.add(commands, parents)
    return command


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0 for success; 1 if a repeated image differs or an unexpected error occurs; 2 for bad input.
    """
    args = parser().parse_args(argv)
    args.arguments = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for names that the terminal's encoding cannot represent
    warnings.showwarning = lambda message, *rest, **more: print(visible(f"warning: {message}"), file=sys.stderr)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UsageWarning)
    try:
        with using(getattr(args, "hub", None)):
            return args.run(args)
    except UsageError as error:
        if args.debug:
            traceback.print_exc()
        print(visible(f"mindone-tcd: error: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mindone-tcd: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        print(
            visible(f"mindone-tcd: unexpected {type(error).__name__}: {first} (--debug shows where)"), file=sys.stderr
        )
        return 1
