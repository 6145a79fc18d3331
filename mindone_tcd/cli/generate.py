"""``mindone-tcd generate``: images or clips from a prompt, and from images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiled.forms import form_of
from ..errors import UsageError
from ..generate.generated_image import GeneratedImage, check_grid, grid
from ..generate.loaded import read_inputs
from ..generate.output_names import default_name, of_images
from ..generate.plan import plan
from ..generate.request import DTYPES, request_for
from ..generate.tasks import TASKS
from ..quantize.kinds import KINDS
from ..schedulers.methods import DEFAULT_METHOD, METHODS
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES
from . import pipeline
from .arguments import EXAMPLES, integer, number, size
from .output import output_paths, save
from .task_arguments import add_task_arguments, asked, control_files, default_suffix, preview_file

if TYPE_CHECKING:
    from ..generate.loaded import LoadedPipeline


def add(commands: argparse._SubParsersAction, parents: dict[str, argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    make = commands.add_parser(
        "generate",
        parents=[parents["debug"], parents["hub"]],
        help="generate images from a prompt, and from images",
        description="Generate images from a prompt. Each PNG contains the record of how it was generated. Images to "
        "start from, control images, references and styles choose the task; the groups below show one example each.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("prompt", help='what the image should show, e.g. "a red circle on a blue background"')
    make.add_argument("--out", type=Path, help="the file to write (default: a new name from the prompt and the seed)")
    make.add_argument("--overwrite", action="store_true", help="replace existing files")
    make.add_argument("--seed", type=integer, default=0, help="seed of the first image, 0 or more (default: 0)")
    make.add_argument("--count", type=integer, default=1, help="number of images, with consecutive seeds (default: 1)")
    make.add_argument("--grid", action="store_true", help="also write a grid of all images to one PNG")
    usual = METHODS[DEFAULT_METHOD]
    make.add_argument(
        "--steps",
        type=integer,
        help=f"inference steps, 1 to {usual.max_steps} (default: {usual.steps}; clips: {TASKS['animate'].steps})",
    )
    make.add_argument(
        "--method",
        choices=tuple(METHODS),
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
    make.add_argument(
        "--model",
        default=SHAPES,
        help=f"a shipped model ({', '.join(PIPELINES)}), a folder, an exported folder, or a hub id (default: shapes)",
    )
    make.add_argument("--lora", help="a folder, a .safetensors file or a hub id instead of the recipe's; or 'none'")
    make.add_argument(
        "--dtype", choices=DTYPES, help="default: float32 on a CPU (no bfloat16 there), float16 on Ascend"
    )
    make.add_argument(
        "--compile", action="store_true", help="run compiled graphs: faster, after compilation for each size"
    )
    make.add_argument(
        "--quantize",
        choices=KINDS,
        help="8-bit weights in the UNet and the ControlNets: less memory, nearly the same image (default: none)",
    )
    make.add_argument(
        "--record-paths",
        action="store_true",
        help="write the paths of the model and the LoRA into the PNG (default: names and digests of the weights)",
    )
    make.add_argument(
        "--preview", action="store_true", help="write the image after each step to OUT-preview.png, while it runs"
    )
    add_task_arguments(make)
    make.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    wanted = asked(args)
    setup = plan(wanted.task, args.model, args.method, args.lora, wanted.extras)
    request = request_for(
        setup,
        args.prompt,
        negative_prompt=args.negative,
        seed=args.seed,
        count=args.count,
        steps=args.steps,
        guidance_scale=args.guidance,
        eta=args.eta,
        size=args.size,
        inputs=read_inputs(setup, wanted.call),
    )
    count = len(request.seeds)
    if args.grid:
        if setup.animated:
            raise UsageError("--grid needs images, but --frames makes clips; leave one out")
        check_grid(request)
    kinds = [source.kind for source in request.inputs.of("control")] if args.save_control else []

    def files(out: Path) -> list[Path]:
        previews = [preview_file(out)] if args.preview else []
        return [*of_images(out, count, args.grid), *control_files(out, kinds), *previews]

    default = default_name(request.prompt, request.seeds[0]).with_suffix(default_suffix(setup.task))
    paths = output_paths(args, default, files, clips=count if setup.animated else 0)

    pipe = pipeline.load(setup, args.dtype, form_of(args.compile), args.record_paths, args.quantize)
    maps = pipe.control_maps(request) if kinds else []
    for image, path in zip(maps, paths[count + args.grid :][: len(maps)], strict=True):
        save(GeneratedImage(image, {}), path, args.overwrite)
    made: list[GeneratedImage] = []
    for batch in pipe.batches(request, on_step=_shown(pipe, paths[-1]) if args.preview else None):
        for each in batch:
            save(each, paths[len(made)], args.overwrite)
            made.append(each)
    if args.grid:
        save(grid(made), paths[count], args.overwrite)
    return 0


def _shown(pipe: LoadedPipeline, path: Path) -> Callable[[int, Any], None]:
    """Return an observer of steps that writes the first image of the batch, as far as it is, to a file."""
    from ..generate.preview import Preview

    preview = Preview(pipe)
    pipe.pipeline.set_progress_bar_config(disable=True)  # it would write into the same lines

    def show(step: int, latents: Any) -> None:
        GeneratedImage(preview(latents)[0], {}).save(path)
        print(f"step {step + 1}: {path}", file=sys.stderr, flush=True)

    return show
