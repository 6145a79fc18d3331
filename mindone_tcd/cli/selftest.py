"""``mindone-tcd selftest``: compare this machine's images with known ones."""

from __future__ import annotations

import argparse

from ..generate.request import DTYPES
from .pipeline import suppressed_library_output


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    check = commands.add_parser(
        "selftest",
        parents=[parents["debug"]],
        help="compare this machine's images with known ones",
        description=run.__doc__,
    )
    check.add_argument("--dtype", choices=DTYPES, help="default: float32 on a CPU, float16 on Ascend")
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generate images with known pixels, eagerly and with compiled graphs, on this machine's device, and print a
    report. The exit code is 1 if a difference exceeds the stated limit. Compilation takes some minutes.
    """
    with suppressed_library_output() as say:
        from ..selftest.run import selftest

        return 0 if selftest(args.dtype, say) else 1
