"""``load``: the entry point for a pipeline with its recipe."""

from __future__ import annotations

import re
from pathlib import Path

from ..compiled.forms import form_of
from ..concurrency import one_at_a_time
from ..environment import require_mindspore
from ..errors import UsageError
from ..files.hub import using
from ..files.model_folder import Model
from ..quiet import errors_only
from ..schedulers.methods import DEFAULT_METHOD, find_method
from ..shapes.folder import SHAPES
from .plan import plan
from .recipes import Recipe
from .request import DTYPES
from .text_to_image import TextToImage

TASKS = ("text-to-image",)


def load(
    task: str = "text-to-image",
    model: str | Path = SHAPES,
    *,
    method: str = DEFAULT_METHOD,
    lora: str | Path | None = None,
    dtype: str | None = None,
    compile: bool | str = False,
    record_paths: bool = False,
    hub: str | None = None,
) -> TextToImage:
    """Load a model with the scheduler, LoRA and defaults of a few-step method.

    Args:
        task: ``text-to-image``.
        model: ``shapes`` (the model in this package), a folder in the layout of diffusers, or a hub id.
        method: a name in :data:`~mindone_tcd.schedulers.methods.METHODS`: ``tcd``, ``lcm``, or one that
            :func:`~mindone_tcd.schedulers.methods.register_method` added.
        lora: a folder, a safetensors file or a hub id to use instead of the recipe's LoRA; ``none`` for no LoRA.
        dtype: ``float32``, ``float16`` or ``bfloat16``; by default float32 on a CPU and float16 on Ascend.
        compile: True or ``step`` to run the networks as compiled graphs, ``trajectory`` for one graph of all steps; see
            :func:`~mindone_tcd.compile_pipeline`. The first image of each size includes the compilation time.
        record_paths: whether the images' records contain the paths of the model's and the LoRA's folder. By default,
            they contain only the names of the folders and digests of the weights.
        hub: the hub for hub ids: ``huggingface`` or ``modelscope``; by default the value of the environment variable
            ``MINDONE_TCD_HUB``, or huggingface if it is not set.

    Raises:
        UsageError: if an argument is invalid, before the weights are read.

    Example:
        >>> from mindone_tcd import load
        >>> images = load("text-to-image")("a red circle on a blue background", seed=7)
        >>> images[0].save("circle.png")
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}; choose one of: {', '.join(TASKS)}")
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}; choose one of: {', '.join(DTYPES)}")
    form = form_of(compile)
    with using(hub):
        found, chosen = plan(model, method, lora)
        return load_planned(found, chosen, dtype, form, record_paths)


@one_at_a_time
def load_planned(
    model: Model, chosen: Recipe, dtype: str | None, form: str | None = None, record_paths: bool = False
) -> TextToImage:
    """Load the model and recipe from :func:`~mindone_tcd.generate.plan.plan`. The errors are those of :func:`load`."""
    require_mindspore()
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline

    from .. import cpu
    from ..adapters import files
    from ..compiled.pipeline import compile_pipeline

    if cpu.needed() and dtype == "bfloat16":
        raise UsageError("dtype bfloat16 does not run on a CPU; choose float32 or float16")
    dtype = dtype or ("float32" if cpu.needed() else "float16")
    # Finds the LoRA first, so that an error for a missing LoRA occurs before the model is read.
    lora_file = None if chosen.lora is None else files.find(chosen.lora, None, None, "LoRA")
    with errors_only("mindone"):
        pipe = DiffusionPipeline.from_pretrained(
            model.location, use_safetensors=True, mindspore_dtype=getattr(ms, dtype)
        )
        pipe.scheduler = find_method(chosen.method).scheduler_class().from_config(pipe.scheduler.config)
        if chosen.lora is not None:
            pipe.load_lora_weights(chosen.lora, adapter_name=_adapter_name(chosen.lora))
    pipe.set_progress_bar_config(desc=f"{chosen.method} steps", leave=False)
    if form is not None:
        compile_pipeline(pipe, form=form)
    return TextToImage(pipe, model, chosen, dtype, lora_file=lora_file, record_paths=record_paths)


def _adapter_name(lora: str) -> str:
    path = Path(lora)
    # PEFT does not allow dots in adapter names.
    return re.sub(r"\W+", "_", path.stem if path.suffix == ".safetensors" else path.name)
