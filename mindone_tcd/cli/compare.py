"""``mindone-tcd compare``: two or more ways to run a model, measured in turns."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from ..compare import FILES, JUDGED, TIMED
from ..compare.sides import Side, sides_of
from ..compiled.forms import form_of
from ..errors import UsageError
from ..generate.request import DTYPES
from ..quantize.kinds import KINDS
from ..schedulers.methods import DEFAULT_METHOD, METHODS
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES
from .arguments import integer, number, size
from .task_arguments import add_task_arguments, asked

_EXAMPLES = """\
examples:
  mindone-tcd compare --compile --fuse --against int8
  mindone-tcd compare --against lora=none --against method=lcm --out methods
  mindone-tcd compare --against compiled --control canny:star.png
  mindone-tcd compare --model /models/sdxl-base --against int8 --prompts-file prompts.txt --size 512
"""


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    make = commands.add_parser(
        "compare",
        parents=[parents["debug"], parents["hub"]],
        help="compare ways to run a model: time, size, memory and images",
        description="Compare two or more ways to run a model with the same prompts and seeds: time, size, memory, and "
        f"how similar the images are. Each side has its own process, and they alternate. Writes {', '.join(FILES)} "
        "into a folder. Needs the [compare] extra.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument(
        "--against",
        action="append",
        required=True,
        metavar="WHAT",
        help="the other side: int8, another dtype (float16, float32), compiled or eager, fused or unfused (LoRAs), "
        "lora=LORA, method=METHOD, another model, or several of them with commas; repeatable",
    )
    make.add_argument("--out", type=Path, help="the folder to write, new or empty (default: a new name)")
    make.add_argument(
        "--prompts", type=integer, default=TIMED, metavar="N", help=f"prompts that are timed (default: {TIMED})"
    )
    make.add_argument(
        "--judged",
        type=integer,
        metavar="N",
        help=f"prompts whose images are judged (default: {JUDGED} where the judge applies: to the shipped models)",
    )
    make.add_argument("--prompts-file", type=Path, metavar="FILE", help="a text file with a prompt on each line")
    make.add_argument(
        "--starts",
        type=integer,
        default=1,
        metavar="N",
        help="processes of each side that are started, to time the first image (default: 1)",
    )
    make.add_argument("--seed", type=integer, default=0, help="seed of the first prompt, 0 or more (default: 0)")
    make.add_argument("--steps", type=integer, help="inference steps (default: the recipe's)")
    make.add_argument("--eta", type=number, help="stochasticity of each step, 0 to 1 (default: the recipe's)")
    make.add_argument("--guidance", type=number, help="guidance scale (default: the recipe's)")
    make.add_argument("--negative", help="what the images should not show; needs --guidance above 1")
    make.add_argument("--size", type=size, help="pixels, such as 128 or 192x128 (default: the model's own)")
    make.add_argument(
        "--model",
        default=SHAPES,
        help=f"the first side: a shipped model ({', '.join(PIPELINES)}), a folder, an exported folder, or a hub id "
        "(default: shapes)",
    )
    make.add_argument(
        "--method", choices=tuple(METHODS), help=f"of all sides that are not exported (default: {DEFAULT_METHOD})"
    )
    make.add_argument("--lora", help="of all sides: a folder, a .safetensors file or a hub id; or 'none'")
    make.add_argument("--dtype", choices=DTYPES, help="of all sides (default: float32 on a CPU, float16 on Ascend)")
    make.add_argument("--quantize", choices=KINDS, help="of the first side (default: none)")
    make.add_argument("--compile", action="store_true", help="run all sides that are not exported as compiled graphs")
    make.add_argument("--fuse", action="store_true", help="make the LoRAs of all sides part of the weights")
    add_task_arguments(make, files=False)
    make.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..compare.prompts import prompts_of_file  # with SciPy, which the other commands do without
    from ..compare.run import compare

    wanted = asked(args)
    if args.fuse and args.quantize:
        raise UsageError("--fuse and --quantize do not combine: quantization always fuses the LoRAs; leave --fuse out")
    base = Side(
        wanted.task,
        args.model,
        args.method,
        args.lora,
        args.dtype,
        args.quantize,
        form=form_of(args.compile),
        fused=args.fuse,
        extras=wanted.extras,
    )
    folder, text = compare(
        sides_of(base, args.against),
        call={
            "negative_prompt": args.negative,
            "steps": args.steps,
            "guidance_scale": args.guidance,
            "eta": args.eta,
            "size": args.size,
        },
        inputs=wanted.call,
        prompts=None if args.prompts_file is None else prompts_of_file(args.prompts_file),
        timed=args.prompts,
        judged=args.judged,
        starts=args.starts,
        seed=args.seed,
        out=args.out,
        command=f"mindone-tcd {shlex.join(args.arguments)}",
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(text)
    for name in FILES:
        print(folder / name)
    return 0
