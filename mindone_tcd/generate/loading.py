"""``load``: the entry point for a pipeline with its recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiled.forms import form_of
from ..concurrency import one_at_a_time
from ..environment import require_mindspore
from ..errors import UsageError
from ..files.hub import using
from ..quantize.kinds import kind_of
from ..quiet import errors_only
from ..schedulers.methods import find_method
from ..shapes.folder import SHAPES
from .exported import load_exported
from .families import family_of
from .loaded import LoadedPipeline
from .narrow import narrow_networks
from .parts import Part
from .plan import Extras, plan
from .request import DTYPES
from .setup import Setup

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline


def load(
    task: str = "text-to-image",
    model: str | Path = SHAPES,
    *,
    method: str | None = None,
    lora: str | Path | None = None,
    control: str | list[str] | dict[str, Any] | None = None,
    t2i: str | list[str] | dict[str, Any] | None = None,
    ip_adapter: str | Path | bool | None = None,
    style: Any = None,
    motion_adapter: str | Path | None = None,
    motion: Any = None,
    depth_model: str | Path | None = None,
    dtype: str | None = None,
    compile: bool | str = False,
    quantize: str | None = None,
    record_paths: bool = False,
    hub: str | None = None,
) -> LoadedPipeline:
    """Load a model with the scheduler, LoRA and defaults of a few-step method.

    Args:
        task: ``text-to-image``, ``image-to-image``, ``inpainting``, ``controlnet``, ``t2i-adapter``, ``ip-adapter`` or
            ``animate``.
        model: a shipped pipeline, a folder in the layout of diffusers, a folder that
            :func:`~mindone_tcd.export` wrote, or a hub id. ``shapes`` is the shipped pipeline
            that has the networks for the task and the control maps; ``shapes-inpainting``, ``shapes-lcm``,
            ``shapes-sd15`` and ``shapes-sd15-lcm`` name one directly.
        method: a name in :data:`~mindone_tcd.schedulers.methods.METHODS`: ``tcd`` (the default), ``lcm``, or one that
            :func:`~mindone_tcd.schedulers.methods.register_method` added. An exported folder has its own.
        lora: a folder, a safetensors file or a hub id to use instead of the recipe's LoRA; ``none`` for no LoRA.
        control: the kinds of maps that ControlNets follow: ``canny``, ``depth`` or ``normal``, a list of kinds, or a
            mapping from kinds to the folders or hub ids of ControlNets. With ``canny-map``, a call passes the finished
            map instead of an image. It combines with text-to-image and image-to-image.
        t2i: the same for T2I-Adapters.
        ip_adapter: True for the IP-Adapter of the model, or a folder, file or hub id. It combines with all tasks.
        style: style LoRAs: a name (``badge``), file, folder or hub id, a pair of one and its weight, or a list.
        motion_adapter: for ``animate``: a folder or hub id instead of the usual one.
        motion: for ``animate``: motion LoRAs, as for ``style``: ``zoom-in`` and others.
        depth_model: a folder or hub id of the DPT model that estimates depths of photos (for other models than
            ``shapes``); by default Intel/dpt-hybrid-midas.
        dtype: ``float32``, ``float16`` or ``bfloat16``; by default float32 on a CPU and float16 on Ascend.
        compile: True or ``step`` to run the networks as compiled graphs, ``trajectory`` for one graph of all steps; see
            :func:`~mindone_tcd.compile_pipeline`. The first image of each size includes the compilation time.
        quantize: ``int8`` for 8-bit weights in the UNet and the ControlNets: a quarter of the memory of float32. The
            LoRAs become part of the weights.
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
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}; choose one of: {', '.join(DTYPES)}")
    form, kind = form_of(compile), kind_of(quantize)
    with using(hub):
        extras = Extras(control, t2i, ip_adapter, style, motion_adapter, motion, depth_model)
        return load_planned(plan(task, model, method, lora, extras), dtype, form, record_paths, kind)


@one_at_a_time
def load_planned(
    setup: Setup,
    dtype: str | None,
    form: str | None = None,
    record_paths: bool = False,
    quantize: str | None = None,
) -> LoadedPipeline:
    """Load what :func:`~mindone_tcd.generate.plan.plan` found. The errors are those of :func:`load`."""
    if setup.exported is not None:
        return load_exported(setup, dtype, form, record_paths, quantize)
    require_mindspore()
    import mindone.diffusers
    import mindspore as ms

    from .. import cpu
    from ..adapters import files
    from ..compiled.pipeline import compile_pipeline
    from ..quantize.network import quantize_pipeline

    if cpu.needed() and dtype == "bfloat16":
        raise UsageError("dtype bfloat16 does not run on a CPU; choose float32 or float16")
    dtype = dtype or ("float32" if cpu.needed() else "float16")
    recipe = setup.recipe
    # Finds the LoRA first, so that an error for a missing LoRA occurs before the model is read.
    lora_file = None if recipe.lora is None else files.find(recipe.lora, None, None, "LoRA")
    wanted = getattr(ms, dtype)
    options = {"use_safetensors": True}
    narrow = narrow_networks(setup) if quantize and dtype == "float32" else ()
    # The other components have the wanted dtype from the start.
    dtypes = {**dict.fromkeys(narrow, ms.float16), "default": wanted}
    with errors_only("mindone"):
        pipeline_class = getattr(mindone.diffusers, setup.pipeline_class)
        networks = _networks(setup, options, dtypes)
        pipe = pipeline_class.from_pretrained(
            setup.model.location, **networks, **options, mindspore_dtype=dtypes if narrow else wanted
        )
        pipe.scheduler = find_method(recipe.method).scheduler_class().from_config(pipe.scheduler.config)
        _load_loras(pipe, setup)
        for part in setup.of("ip-adapter"):
            _load_ip_adapter(pipe, part, setup)
    if quantize is not None:
        quantize_pipeline(pipe, wanted)
    pipe.set_progress_bar_config(desc=f"{recipe.method} steps", leave=False)
    if form is not None:
        compile_pipeline(pipe, form=form)
    return LoadedPipeline(pipe, setup, dtype, lora_file=lora_file, record_paths=record_paths, quantize=quantize)


def _networks(setup: Setup, options: dict[str, Any], dtypes: dict[str, Any]) -> dict[str, Any]:
    """Load the networks that are components of the pipeline.

    Args:
        setup: what is loaded.
        options: further arguments of ``from_pretrained``.
        dtypes: the dtype of each component, and of all others (``default``).
    """
    from mindone.diffusers import ControlNetModel, MotionAdapter, MultiAdapter, T2IAdapter

    def of(component: str) -> dict[str, Any]:
        return {**options, "mindspore_dtype": dtypes.get(component, dtypes["default"])}

    found: dict[str, Any] = {}
    if parts := setup.of("controlnet"):
        networks = [ControlNetModel.from_pretrained(part.location, **of("controlnet")) for part in parts]
        found["controlnet"] = networks if len(networks) > 1 else networks[0]
    if parts := setup.of("t2i-adapter"):
        adapters = [T2IAdapter.from_pretrained(part.location, **of("adapter")) for part in parts]
        found["adapter"] = MultiAdapter(adapters) if len(adapters) > 1 else adapters[0]
    for part in setup.of("motion-adapter"):
        found["motion_adapter"] = MotionAdapter.from_pretrained(part.location, **of("motion_adapter"))
    return found


def _load_loras(pipe: DiffusionPipeline, setup: Setup) -> None:
    """Load the LoRAs of the method, the styles and the motions, and activate them with their weights."""
    names: list[str] = []
    weights: list[float] = []
    parts = [*setup.of("style"), *setup.of("motion")]
    loras = [] if setup.recipe.lora is None else [(setup.recipe.lora, 1.0)]
    for location, weight in [*loras, *((part.location, part.weight) for part in parts)]:
        name = _adapter_name(location)
        while name in names:
            name += "_"
        pipe.load_lora_weights(location, adapter_name=name)
        names.append(name)
        weights.append(weight)
    if parts:
        pipe.set_adapters(names, adapter_weights=weights)


_IP_ADAPTER_FILES = {
    "SDXL": ("sdxl_models", "ip-adapter_sdxl.safetensors"),
    "SD": ("models", "ip-adapter_sd15.safetensors"),
    "LCM": ("models", "ip-adapter_sd15.safetensors"),
}
"""The subfolder and the file of the IP-Adapter for each family, in the layout of h94/IP-Adapter."""


def _load_ip_adapter(pipe: DiffusionPipeline, part: Part, setup: Setup) -> None:
    subfolder, file = _IP_ADAPTER_FILES[family_of(setup.model)]
    whole = part.source == "hub" or (Path(part.location) / subfolder).is_dir()
    if whole:
        pipe.load_ip_adapter(part.location, subfolder=subfolder, weight_name=file)
    else:
        pipe.load_ip_adapter(part.location)


def _adapter_name(lora: str) -> str:
    path = Path(lora)
    # PEFT does not allow dots in adapter names.
    return re.sub(r"\W+", "_", path.stem if path.suffix == ".safetensors" else path.name)
