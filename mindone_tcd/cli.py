"""The command ``mindone-tcd``: arguments in, files out. Everything is checked before MindSpore is imported."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import __version__
from .errors import UsageError
from .hub import HUBS, VARIABLE, using
from .pipelines.folder import Model
from .pipelines.picture import Picture, check_writable, grid, read_record
from .pipelines.plan import plan
from .pipelines.recipes import METHODS, SHAPES, Recipe
from .pipelines.request import DTYPES, Request, form_of, make_request, whole_number

if TYPE_CHECKING:
    from .pipelines.text_to_image import TextToImage

EXAMPLES = """\
examples:
  mindone-tcd generate "a red circle on a blue background"
  mindone-tcd generate "a small green star on black" --count 4 --grid --out stars.png
  mindone-tcd generate "a white heart above a pink moon on a purple background" --steps 8 --seed 5
  mindone-tcd generate "a photo of a lighthouse" --model /models/sdxl-base --lora /models/TCD-SDXL-LoRA --size 1024
  mindone-tcd info picture.png
  mindone-tcd info picture.png --again

The model "shapes" is in the package and needs no network. It draws shapes: circle, square, triangle, star, ring,
cross, heart, diamond, moon; in red, green, blue, yellow, orange, purple, pink, cyan, white, black, gray, brown.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mindone-tcd",
        description="Pictures from prompts in a few steps, on MindSpore.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mindone-tcd {__version__}")
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    hub = argparse.ArgumentParser(add_help=False)
    hub.add_argument("--hub", choices=HUBS, help=f"where hub ids are from (default: ${VARIABLE}, or {HUBS[0]})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    make = commands.add_parser(
        "generate",
        parents=[debug, hub],
        help="a prompt becomes PNG pictures",
        description="Make pictures from a prompt. Each PNG carries the record of how it was made.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("prompt", help='what the picture is to show, e.g. "a red circle on a blue background"')
    make.add_argument("--out", type=Path, help="the PNG to write (default: named after the prompt and the seed)")
    make.add_argument("--seed", type=_integer, default=0, help="seed of the first picture, 0 or more (default: 0)")
    make.add_argument(
        "--count", type=_integer, default=1, help="how many pictures, with seeds that follow (default: 1)"
    )
    make.add_argument("--grid", action="store_true", help="also write all the pictures side by side in one PNG")
    make.add_argument("--steps", type=_integer, help="inference steps, 1 to 50 (default: 4)")
    make.add_argument(
        "--method", choices=METHODS, default="tcd", help="scheduler and LoRA that belong together (default: tcd)"
    )
    make.add_argument("--eta", type=_number, help="TCD's fresh noise: 0 none, 1 all (default: 0.3)")
    make.add_argument("--guidance", type=_number, help="guidance scale; above 1 costs twice the time (default: 0)")
    make.add_argument("--negative", help="what the picture is not to show; needs --guidance above 1")
    make.add_argument("--size", type=_size, help="pixels, as 128 or 192x128 (default: the model's own)")
    make.add_argument("--model", default=SHAPES, help="'shapes', a folder, or a hub id (default: shapes)")
    make.add_argument("--lora", help="a folder, a .safetensors file or a hub id in place of the recipe's; or 'none'")
    make.add_argument(
        "--dtype", choices=DTYPES, help="default: float32 on a CPU (no bfloat16 there), float16 on Ascend"
    )
    make.add_argument(
        "--compile", action="store_true", help="run compiled graphs: faster, once they are compiled for a size"
    )
    make.set_defaults(run=_generate)

    show = commands.add_parser(
        "info", parents=[debug, hub], help="show how a picture was made, or make it again", description=_info.__doc__
    )
    show.add_argument("picture", type=Path, help="a PNG that mindone-tcd made")
    show.add_argument("--again", action="store_true", help="make the same picture again and compare")
    show.add_argument("--out", type=Path, help="with --again: the PNG to write (default: NAME-again.png)")
    show.set_defaults(run=_info)

    check = commands.add_parser(
        "selftest",
        parents=[debug],
        help="compare what this machine makes with known pictures",
        description=_selftest.__doc__,
    )
    check.add_argument("--dtype", choices=DTYPES, help="default: float32 on a CPU, float16 on Ascend")
    check.set_defaults(run=_selftest)
    return parser


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 128, or 192x128 for width x height")
    return int(match[1]), int(match[2] or match[1])


def _default_name(request: Request) -> Path:
    words = re.sub(r"[^a-z0-9]+", "-", request.prompt.lower()).strip("-")[:60].strip("-") or "picture"
    return Path(f"{words}-seed{request.seeds[0]}.png")


def _numbered(path: Path, k: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{k + 1:0{len(str(count))}d}{path.suffix}")


def _generate(args: argparse.Namespace) -> int:
    model, recipe = plan(args.model, args.method, args.lora)
    request = make_request(
        model,
        recipe,
        args.prompt,
        negative_prompt=args.negative,
        seed=args.seed,
        count=args.count,
        steps=args.steps,
        guidance_scale=args.guidance,
        eta=args.eta,
        size=args.size,
    )
    out = args.out or _default_name(request)
    count = len(request.seeds)
    paths = [_numbered(out, k, count) for k in range(count)]
    sheet = out.with_name(f"{out.stem}-grid{out.suffix}") if args.grid else None
    for path in [*paths, *([sheet] if sheet else [])]:
        check_writable(path)

    pipe = _load(model, recipe, args.dtype, form_of(args.compile))
    made: list[Picture] = []
    for batch in pipe.batches(request):
        for picture in batch:
            print(picture.save(paths[len(made)]), flush=True)
            made.append(picture)
    if sheet:
        print(grid(made).save(sheet))
    return 0


@contextlib.contextmanager
def _only_ours_on_stdout() -> Iterator[Callable[[str], None]]:
    """What the libraries print while they are imported helps nobody; what is given prints a line past that."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("GLOG_v", "3")  # MindSpore: errors, but no warnings
    stdout = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        yield lambda line: print(line, file=stdout, flush=True)


def _load(model: Model, recipe: Recipe, dtype: str | None, form: str | None) -> TextToImage:
    print("loading MindSpore and the model …", file=sys.stderr, flush=True)
    with _only_ours_on_stdout():
        from .pipelines.loading import load_planned

        return load_planned(model, recipe, dtype, form)


def _info(args: argparse.Namespace) -> int:
    """Show the record of how a picture was made; with --again, make the same picture again and compare the pixels: the
    exit code is then 1 if they differ."""
    record = read_record(args.picture)
    if args.out and not args.again:
        raise UsageError("--out goes with --again; leave it out, or add --again")
    if not args.again:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return 0
    if "grid" in record:
        raise UsageError(f"{args.picture} is a grid of pictures; make each again from its own file")
    out = args.out or args.picture.with_name(f"{args.picture.stem}-again.png")
    check_writable(out)
    if out.exists() and out.samefile(args.picture):
        raise UsageError(f"--out {out} is the picture itself; give another name, so that the two can be compared")
    model, recipe, request, seeds, form = _request_of(record, args.picture)
    pipe = _load(model, recipe, record["dtype"], form)
    pictures = {picture.record["seed"]: picture for picture in pipe.make_batch(request, seeds)}
    picture = pictures[record["seed"]]
    print(picture.save(out))
    return 0 if _compare(args.picture, picture, record) else 1


def _request_of(record: dict, path: Path) -> tuple[Model, Recipe, Request, tuple[int, ...], str | None]:
    try:
        lora = {None: "none", "shipped": None}.get(record["lora"], record["lora"])
        seeds = tuple(whole_number(seed, "a seed", 0) for seed in record["batch_seeds"])
        model, recipe = plan(record["model"], record["method"], lora)
        request = make_request(
            model,
            recipe,
            record["prompt"],
            negative_prompt=record["negative_prompt"],
            seed=record["seed"],
            steps=record["steps"],
            guidance_scale=record["guidance_scale"],
            eta=record["eta"],
            size=(record["width"], record["height"]),
        )
        form = form_of(record.get("compile"))  # pictures of version 0.1.0 and before do not say
        if record["seed"] not in seeds or record["dtype"] not in DTYPES:
            raise KeyError("batch_seeds or dtype")
    except (KeyError, TypeError) as error:
        raise UsageError(f"the record in {path} is incomplete ({error}); it cannot be made again") from error
    return model, recipe, request, seeds, form


def _compare(path: Path, picture: Picture, record: dict) -> bool:
    import numpy as np
    from PIL import Image

    with Image.open(path) as before:
        old = np.asarray(before.convert("RGB"), np.int16)
    new = np.asarray(picture.image.convert("RGB"), np.int16)
    if old.shape == new.shape and (old == new).all():
        print("the same pixels", file=sys.stderr)
        return True
    away = int(abs(old - new).max()) if old.shape == new.shape else 255
    changed = [
        f"{name} {record.get(name)!r} then, {picture.record[name]!r} now"
        for name in ("device", "kernels", "versions")
        if record.get(name) != picture.record[name]
    ]
    cause = "; ".join(changed) or "the file was changed since, or another processor rounds in another way"
    print(f"not the same pixels: up to {away} of 255 apart; {cause}", file=sys.stderr)
    return False


def _selftest(args: argparse.Namespace) -> int:
    """Make pictures whose pixels are known, eagerly and with compiled graphs, on the device that is here, and print a
    report; the exit code is 1 if something differs by more than is stated. Compiling takes some minutes."""
    with _only_ours_on_stdout() as say:
        from .selftest.run import selftest

        return 0 if selftest(args.dtype, say) else 1


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        the exit code: 0; 1 if a picture made again differs, and for what should not have happened; 2 for bad input.
    """
    args = _parser().parse_args(argv)
    warnings.showwarning = lambda message, *rest, **more: print(f"warning: {message}", file=sys.stderr)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UserWarning, module=r"mindone_tcd(\.|$)|__main__")
    try:
        with using(getattr(args, "hub", None)):
            return args.run(args)
    except UsageError as error:
        if args.debug:
            traceback.print_exc()
        print(f"mindone-tcd: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mindone-tcd: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"mindone-tcd: unexpected {type(error).__name__}: {first} (--debug shows where)", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
