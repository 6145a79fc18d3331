"""The command ``mindone-tcd``. It checks all arguments before it imports MindSpore."""

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
from .pipelines.again import Again, check_same_weights, plan_again, sources_of
from .pipelines.folder import Model
from .pipelines.output_names import default_name, free, of_images, refuse_existing, save_new
from .pipelines.picture import Picture, check_grid, check_writable, grid
from .pipelines.plan import plan
from .pipelines.png_record import png_size, read_record
from .pipelines.recipes import SHAPES, Recipe
from .pipelines.record_fields import visible
from .pipelines.request import DTYPES, form_of, make_request
from .schedulers.methods import DEFAULT_METHOD, METHODS

if TYPE_CHECKING:
    import numpy as np

    from .pipelines.text_to_image import TextToImage

EXAMPLES = """\
examples:
  mindone-tcd generate "a red circle on a blue background"
  mindone-tcd generate "a small green star on black" --count 4 --grid --out stars.png
  mindone-tcd generate "a white heart above a pink moon on a purple background" --steps 8 --seed 5
  mindone-tcd generate "a photo of a lighthouse" --model /models/sdxl-base --lora /models/TCD-SDXL-LoRA --size 1024
  mindone-tcd info picture.png
  mindone-tcd info picture.png --again
  mindone-tcd info lighthouse.png --again --model /models/sdxl-base --lora /models/TCD-SDXL-LoRA

The model "shapes" is in the package and needs no network. It draws shapes: circle, square, triangle, star, ring,
cross, heart, diamond, moon; in red, green, blue, yellow, orange, purple, pink, cyan, white, black, gray, brown.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mindone-tcd",
        description="Generate images from prompts in a few steps, on MindSpore.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mindone-tcd {__version__}")
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    hub = argparse.ArgumentParser(add_help=False)
    hub.add_argument("--hub", choices=HUBS, help=f"the hub for hub ids (default: ${VARIABLE}, or {HUBS[0]})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    make = commands.add_parser(
        "generate",
        parents=[debug, hub],
        help="generate PNG images from a prompt",
        description="Generate images from a prompt. Each PNG contains the record of how it was generated.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("prompt", help='what the image should show, e.g. "a red circle on a blue background"')
    make.add_argument("--out", type=Path, help="the PNG to write (default: a new name from the prompt and the seed)")
    make.add_argument("--overwrite", action="store_true", help="replace existing files")
    make.add_argument("--seed", type=_integer, default=0, help="seed of the first image, 0 or more (default: 0)")
    make.add_argument("--count", type=_integer, default=1, help="number of images, with consecutive seeds (default: 1)")
    make.add_argument("--grid", action="store_true", help="also write a grid of all images to one PNG")
    usual = METHODS[DEFAULT_METHOD]
    make.add_argument(
        "--steps", type=_integer, help=f"inference steps, 1 to {usual.max_steps} (default: {usual.steps})"
    )
    make.add_argument(
        "--method",
        choices=tuple(METHODS),
        default=DEFAULT_METHOD,
        help=f"the scheduler and its matching LoRA (default: {DEFAULT_METHOD})",
    )
    etas = ", ".join(f"{method.eta:g} for {method.name}" for method in METHODS.values() if method.eta is not None)
    make.add_argument(
        "--eta", type=_number, help=f"stochasticity of each step, 0 (no new noise) to 1 (default: {etas})"
    )
    make.add_argument(
        "--guidance",
        type=_number,
        help=f"guidance scale; above 1 doubles the time (default: {usual.guidance_scale:g})",
    )
    make.add_argument("--negative", help="what the image should not show; needs --guidance above 1")
    make.add_argument("--size", type=_size, help="pixels, such as 128 or 192x128 (default: the model's own)")
    make.add_argument("--model", default=SHAPES, help="'shapes', a folder, or a hub id (default: shapes)")
    make.add_argument("--lora", help="a folder, a .safetensors file or a hub id instead of the recipe's; or 'none'")
    make.add_argument(
        "--dtype", choices=DTYPES, help="default: float32 on a CPU (no bfloat16 there), float16 on Ascend"
    )
    make.add_argument(
        "--compile", action="store_true", help="run compiled graphs: faster, after compilation for each size"
    )
    make.add_argument(
        "--record-paths",
        action="store_true",
        help="write the paths of the model and the LoRA into the PNG (default: names and digests of the weights)",
    )
    make.set_defaults(run=_generate)

    show = commands.add_parser(
        "info", parents=[debug, hub], help="show how an image was generated, or repeat it", description=_info.__doc__
    )
    show.add_argument("picture", type=Path, help="a PNG that mindone-tcd wrote")
    show.add_argument("--again", action="store_true", help="generate the same image again and compare")
    show.add_argument(
        "--out", type=Path, help="with --again: the PNG to write (default: NAME-again.png, or a new name)"
    )
    show.add_argument("--overwrite", action="store_true", help="with --again: replace an existing file")
    show.add_argument("--model", help="with --again: the model, if the record's is not 'shapes': a folder, or a hub id")
    show.add_argument("--lora", help="with --again: the LoRA, if the record's is not the recipe's; or 'none'")
    show.add_argument(
        "--trust-record",
        action="store_true",
        help="with --again: open, or download from the hub, the model and LoRA that the record names",
    )
    show.set_defaults(run=_info)

    check = commands.add_parser(
        "selftest",
        parents=[debug],
        help="compare this machine's images with known ones",
        description=_selftest.__doc__,
    )
    check.add_argument("--dtype", choices=DTYPES, help="default: float32 on a CPU, float16 on Ascend")
    check.set_defaults(run=_selftest)
    return parser


def _integer(text: str) -> int:
    if len(text) > 100:
        raise argparse.ArgumentTypeError(f"a number of {len(text)} characters; at most 100 are possible")
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


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
    count = len(request.seeds)
    if args.grid:
        check_grid(request)
    paths = _output_paths(
        args, default_name(request.prompt, request.seeds[0]), lambda out: of_images(out, count, args.grid)
    )

    pipe = _load(model, recipe, args.dtype, form_of(args.compile), args.record_paths)
    pictures: list[Picture] = []
    for batch in pipe.batches(request):
        for picture in batch:
            _save(picture, paths[len(pictures)], args.overwrite)
            pictures.append(picture)
    if args.grid:
        _save(grid(pictures), paths[-1], args.overwrite)
    return 0


def _output_paths(args: argparse.Namespace, default: Path, files: Callable[[Path], list[Path]]) -> list[Path]:
    """Return the files to write, of ``--out`` or of a new name from the default one. Check that they can be written."""
    if args.overwrite or args.out:
        paths = files(args.out or default)
        if not args.overwrite:
            refuse_existing(paths)
    else:
        paths = free(default, files)
    for path in paths:
        check_writable(path)
    return paths


def _save(picture: Picture, path: Path, overwrite: bool) -> None:
    saved = save_new(picture, path, overwrite)
    if saved != path:
        print(f"warning: another process has written {path} in the meantime; this is {saved}", file=sys.stderr)
    print(saved, flush=True)


@contextlib.contextmanager
def _suppressed_library_output() -> Iterator[Callable[[str], None]]:
    """Suppress what libraries print during import; yield a function that still prints a line."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("GLOG_v", "3")  # MindSpore: errors, but no warnings
    stdout = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        yield lambda line: print(line, file=stdout, flush=True)


def _load(model: Model, recipe: Recipe, dtype: str | None, form: str | None, record_paths: bool = False) -> TextToImage:
    print("loading MindSpore and the model …", file=sys.stderr, flush=True)
    with _suppressed_library_output():
        from .pipelines.loading import load_planned

        return load_planned(model, recipe, dtype, form, record_paths)


def _info(args: argparse.Namespace) -> int:
    """Show the record of how an image was generated. With --again, generate the same image again and compare the
    pixels; the exit code is 1 if they differ. A record alone opens only the model and LoRA in the package: name others
    with --model and --lora, or add --trust-record.
    """
    record = read_record(args.picture)
    if not args.again:
        for name in ("out", "overwrite", "model", "lora", "trust_record"):
            if getattr(args, name) not in (None, False):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} needs --again; leave it out, or add --again")
        print(visible(json.dumps(record, indent=2, ensure_ascii=False), keep="\n"))
        return 0
    if "grid" in record:
        raise UsageError(f"{args.picture} is a grid of images; repeat each image from its own file")
    if args.out and args.out.exists() and args.out.samefile(args.picture):
        raise UsageError(f"--out {args.out} is the image itself; choose another name, so that the two can be compared")
    again = plan_again(record, args.picture, args.model, args.lora, args.trust_record)
    old = _pixels(args.picture, record)
    (out,) = _output_paths(args, args.picture.with_name(f"{args.picture.stem}-again.png"), lambda out: [out])
    check_same_weights(record, sources_of(again))
    pipe = _load(again.model, again.recipe, again.dtype, again.form)
    for remark in check_same_weights(record, pipe.sources()):
        print(f"warning: {remark}", file=sys.stderr)
    picture = _repeat(pipe, again, record["seed"])
    _save(picture, out, args.overwrite)
    return 0 if _compare(old, picture, record) else 1


def _repeat(pipe: TextToImage, again: Again, seed: int) -> Picture:
    return {picture.record["seed"]: picture for picture in pipe.make_batch(again.request, again.seeds)}[seed]


def _pixels(path: Path, record: dict) -> np.ndarray:
    """Return the RGB values of a PNG, int16 (height, width, 3).

    Raises:
        UsageError: if its size is not the size that its record states, or it cannot be read.
    """
    import numpy as np
    from PIL import Image

    size, stated = png_size(path), (record["width"], record["height"])
    if size != stated:
        raise UsageError(
            f"{path} has {size[0]}x{size[1]} pixels, but its record states {stated[0]}x{stated[1]}: the record is not "
            "that of this image"
        )
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"), np.int16)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read as an image ({error}); pass a PNG that mindone-tcd wrote") from error


def _compare(old: np.ndarray, picture: Picture, record: dict) -> bool:
    import numpy as np

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
    cause = "; ".join(changed) or "the file was changed since, or another processor rounds differently"
    print(visible(f"not the same pixels: up to {away} of 255 apart; {cause}"), file=sys.stderr)
    return False


def _selftest(args: argparse.Namespace) -> int:
    """Generate images with known pixels, eagerly and with compiled graphs, on this machine's device, and print a
    report. The exit code is 1 if a difference exceeds the stated limit. Compilation takes some minutes.
    """
    with _suppressed_library_output() as say:
        from .selftest.run import selftest

        return 0 if selftest(args.dtype, say) else 1


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0 for success; 1 if a repeated image differs or an unexpected error occurs; 2 for bad input.
    """
    args = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for names that the terminal's encoding cannot represent
    warnings.showwarning = lambda message, *rest, **more: print(visible(f"warning: {message}"), file=sys.stderr)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UserWarning, module=r"mindone_tcd(\.|$)|__main__")
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


if __name__ == "__main__":
    sys.exit(main())
