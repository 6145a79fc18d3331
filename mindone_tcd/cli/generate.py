"""``mindone-tcd generate``: PNG images from a prompt."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..compiled.forms import form_of
from ..generate.generated_image import GeneratedImage, check_grid, grid
from ..generate.output_names import default_name, of_images
from ..generate.plan import plan
from ..generate.request import DTYPES, make_request
from ..schedulers.methods import DEFAULT_METHOD, METHODS
from ..shapes.folder import SHAPES
from . import pipeline
from .arguments import EXAMPLES, integer, number, size
from .output import output_paths, save


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    make = commands.add_parser(
        "generate",
        parents=[parents["debug"], parents["hub"]],
        help="generate PNG images from a prompt",
        description="Generate images from a prompt. Each PNG contains the record of how it was generated.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("prompt", help='what the image should show, e.g. "a red circle on a blue background"')
    make.add_argument("--out", type=Path, help="the PNG to write (default: a new name from the prompt and the seed)")
    make.add_argument("--overwrite", action="store_true", help="replace existing files")
    make.add_argument("--seed", type=integer, default=0, help="seed of the first image, 0 or more (default: 0)")
    make.add_argument("--count", type=integer, default=1, help="number of images, with consecutive seeds (default: 1)")
    make.add_argument("--grid", action="store_true", help="also write a grid of all images to one PNG")
    usual = METHODS[DEFAULT_METHOD]
    make.add_argument("--steps", type=integer, help=f"inference steps, 1 to {usual.max_steps} (default: {usual.steps})")
    make.add_argument(
        "--method",
        choices=tuple(METHODS),
        default=DEFAULT_METHOD,
        help=f"the scheduler and its matching LoRA (default: {DEFAULT_METHOD})",
    )
    etas = ", ".join(f"{method.eta:g} for {method.name}" for method in METHODS.values() if method.eta is not None)
    make.add_argument("--eta", type=number, help=f"stochasticity of each step, 0 (no new noise) to 1 (default: {etas})")
    make.add_argument(
        "--guidance",
        type=number,
        help=f"guidance scale; above 1 doubles the time (default: {usual.guidance_scale:g})",
    )
    make.add_argument("--negative", help="what the image should not show; needs --guidance above 1")
    make.add_argument("--size", type=size, help="pixels, such as 128 or 192x128 (default: the model's own)")
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
    make.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
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
    paths = output_paths(
        args, default_name(request.prompt, request.seeds[0]), lambda out: of_images(out, count, args.grid)
    )

    pipe = pipeline.load(model, recipe, args.dtype, form_of(args.compile), args.record_paths)
    images: list[GeneratedImage] = []
    for batch in pipe.batches(request):
        for image in batch:
            save(image, paths[len(images)], args.overwrite)
            images.append(image)
    if args.grid:
        save(grid(images), paths[-1], args.overwrite)
    return 0
