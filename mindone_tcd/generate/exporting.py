"""``export``: write a loaded pipeline as graphs that run without mindone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..deploy import sampler
from ..deploy.manifest import DTYPES
from ..errors import UsageError, shown, warn_user
from .exported import controlnet_name
from .families import family_of
from .loaded import LoadedPipeline
from .parts import TITLES
from .request import MOST_PIXELS_A_SIDE, whole_number
from .setup import Setup

TASKS = ("text-to-image", "image-to-image", "controlnet")
"""The tasks of pipelines that can be exported. A folder without ControlNets has the first two."""

MOST_BATCH = 64


def export(
    pipe: LoadedPipeline,
    folder: str | Path,
    sizes: Sequence[int | tuple[int, int]] | None = None,
    batch: int = 1,
    *,
    whole: bool = False,
) -> Path:
    """Write a loaded pipeline into a new folder, as MindIR graphs that run without mindone.

    The folder contains the text encoders, the UNet with its LoRAs fused, the ControlNets, the encoder and the decoder
    of the VAE, the tokenizers, the configuration of the scheduler, and ``manifest.json``. The graphs use the operations
    of MindSpore only, no kernels of this package. ``load`` takes the folder as a model. The pipeline does not change.

    Args:
        pipe: the result of :func:`mindone_tcd.load` for text-to-image, image-to-image or controlnet, not compiled.
        folder: the folder to create.
        sizes: the sizes of images: pixels, or pairs of width and height; None for the model's size. Each size has its
            own graphs; the weights are shared.
        batch: how many images a graph computes at once. Other numbers of images run in several batches.
        whole: whether each MindIR file contains its weights, as converters for other runtimes need them. Graphs of the
            same network then each have a copy.

    Returns:
        The folder.

    Raises:
        UsageError: if the pipeline cannot be exported, an argument is invalid, or the folder exists.

    Example:
        >>> from mindone_tcd import export, load
        >>> folder = export(load("text-to-image"), "circles")
        >>> load("text-to-image", folder)("a red circle on a blue background", seed=7)[0].save("circle.png")
    """
    if not isinstance(pipe, LoadedPipeline):
        raise UsageError(f"export got {type(pipe).__name__}; expected the result of mindone_tcd.load")
    if not isinstance(folder, str | Path) or not str(folder):
        raise UsageError(f"folder is {shown(folder)}; expected the path of a folder to create")
    check_exportable(pipe.setup)
    if pipe.dtype not in DTYPES:
        raise UsageError(f"a pipeline of {pipe.dtype} cannot be exported; load it with one of: {', '.join(DTYPES)}")
    wanted = checked_sizes(pipe.setup, sizes)
    whole_number(batch, "batch", 1, MOST_BATCH)
    check_target(Path(folder))
    from ..compiled.pipeline import compiled_form
    from ..deploy.writing import About, write

    if compiled_form(pipe.pipeline) is not None:
        raise UsageError("the pipeline is compiled; load it without compile to export it")
    if not pipe.pipeline.scheduler.affine:
        raise UsageError(
            "the scheduler clips or thresholds the samples, which export does not support; make it with "
            "clip_sample=False and thresholding=False"
        )
    if getattr(pipe.pipeline, "safety_checker", None) is not None:
        warn_user("the safety checker is not exported: exported pipelines do not check their images")
    model, recipe = pipe.model, pipe.recipe
    about = About(
        family_of(model),
        {
            "sample_size": model.sample_size,
            "vae_scale": model.vae_scale,
            "cross_attention_dim": model.cross_attention_dim,
            "prediction_type": model.prediction_type,
            "guidance_embedded": model.guidance_embedded,
        },
        {
            "method": recipe.method,
            "steps": recipe.steps,
            "guidance_scale": recipe.guidance_scale,
            "eta": recipe.eta,
        },
        {**pipe.sources(), **({} if pipe.quantize is None else {"quantize": pipe.quantize})},
        [controlnet_name(index) for index in range(len(pipe.setup.of("controlnet")))],
    )
    write(pipe.pipeline, Path(folder), about, wanted, batch, whole=whole)
    return Path(folder)


def check_exportable(setup: Setup) -> None:
    """Check, before anything is loaded, that a pipeline can be exported.

    Raises:
        UsageError: if its task, its method or one of its parts cannot.
    """
    if setup.exported is not None:
        raise UsageError(f"{setup.model.location} is exported already; copy the folder, or export the original model")
    if setup.task not in TASKS:
        raise UsageError(f"the task {setup.task} cannot be exported; expected one of: {', '.join(TASKS)}")
    for part in setup.parts:
        if part.role not in ("controlnet", "style"):
            raise UsageError(f"a {TITLES[part.role]} cannot be exported; load the pipeline without it")
    if setup.recipe.method not in sampler.METHODS:
        raise UsageError(
            f"the method {setup.recipe.method} cannot be exported; expected one of: {', '.join(sampler.METHODS)}"
        )


def checked_sizes(setup: Setup, sizes: Sequence[int | tuple[int, int]] | None) -> list[tuple[int, int]]:
    """Return widths and heights without repetitions.

    Raises:
        UsageError: if one is not a size that the pipeline can have.
    """
    if sizes is None:
        if setup.model.sample_size is None:
            raise UsageError(f"{setup.model.name} does not state the size that it was trained for; pass sizes")
        sizes = [setup.model.sample_size]
    if isinstance(sizes, int | str) or not isinstance(sizes, Sequence) or not sizes:
        raise UsageError(f"sizes is {shown(sizes)}; expected a list of pixels, or of pairs of width and height")
    found = []
    multiple = max(setup.multiple, 8)
    for size in sizes:
        pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
        if len(pair) != 2:
            raise UsageError(f"a size is {shown(size)}; expected pixels, or a pair of width and height")
        sides = [whole_number(side, "size", 1, MOST_PIXELS_A_SIDE) for side in pair]
        if any(side % multiple for side in sides):
            raise UsageError(f"size {sides[0]}x{sides[1]} is not divisible by {multiple}, as the pipeline needs")
        found.append((sides[0], sides[1]))
    return list(dict.fromkeys(found))


def check_target(folder: Path) -> None:
    """Check that a folder can be created.

    Raises:
        UsageError: if it exists, or is in a file.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists; expected a folder to create: choose another name, or remove it")
    for parent in folder.absolute().parents:
        if parent.exists():
            if not parent.is_dir():
                raise UsageError(f"{folder} cannot be created, because {parent} is not a folder; choose another place")
            return
