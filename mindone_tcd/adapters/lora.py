"""``load_lora_weights``: load a LoRA of any layout into mindone's pipelines. All keys are checked first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError, warn_user
from ..lora_layers import models_of
from ..quantize.kinds import is_quantized
from . import files
from .hotswap import check_replaced_modules, check_replaced_name, swap
from .lora_plan import Module, Plan, describe, make_plan
from .records import LoadedLora, adapter_names, distillation, remember, telling_names

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline

_TEXT_ENCODERS = ("text_encoder", "text_encoder_2")


def load_lora_weights(
    pipe: DiffusionPipeline,
    source: str | Path | Mapping[str, np.ndarray | ms.Tensor],
    adapter_name: str | None = None,
    hotswap: bool = False,
    *,
    strict: bool = True,
    weight_name: str | None = None,
    subfolder: str | None = None,
    use_safetensors: bool | None = None,
    **hub: Any,
) -> None:
    """Load a LoRA into a pipeline's UNet and text encoders. If loading fails, the pipeline stays unchanged.

    Args:
        pipe: a pipeline of mindone with a UNet (SD 1.x, SD 2.x, SDXL, AnimateDiff).
        source: a folder, a safetensors file, a hub id (owner/name), or the tensors themselves by key.
        adapter_name: the name by which methods such as ``set_adapters`` refer to the LoRA; by default ``default_0``,
            ``default_1``, …
        hotswap: replace the weights of the loaded adapter with this name. The adapter must have the same modules and
            ranks, be only in the UNet, and not be fused. After ``enable_lora_hotswap(target_rank=…)``, ranks up to
            ``target_rank`` fit.
        strict: whether a key that matches no module raises an error. If False, the modules concerned are skipped with
            a warning that lists them.
        weight_name: the file's name in the folder or repository; by default ``pytorch_lora_weights.safetensors`` or the
            only safetensors file there.
        subfolder: the subfolder of the folder or repository that contains the file.
        use_safetensors: True or None; no other format is supported.
        hub: ``cache_dir``, ``force_download``, ``proxies``, ``local_files_only``, ``token`` and ``revision`` for
            huggingface_hub.

    Raises:
        UsageError: if the file cannot be found, downloaded or read, keys do not match, the adapter name is in use, or
            the LoRA does not fit the adapter that it replaces.

    Warns:
        UserWarning: with ``strict=False``, if modules are skipped.
    """
    unknown = sorted(set(hub) - set(files.HUB_OPTIONS))
    if unknown:
        raise UsageError(f"load_lora_weights does not know {', '.join(unknown)}; leave it out")
    if use_safetensors is False:
        raise UsageError("use_safetensors=False requests a pickle; only safetensors are loaded: leave it out")
    if pipe.unet is None:
        raise UsageError(f"this {type(pipe).__name__} has no UNet to load a LoRA into; give it one (unet=…)")
    adapter_name = check_replaced_name(pipe, adapter_name) if hotswap else _free_name(pipe, adapter_name)
    metadata: dict[str, str] = {}
    if isinstance(source, Mapping):
        label, tensors = "a dict", files.as_arrays(dict(source))
        names = [adapter_name]
    else:
        path = files.find(source, weight_name, subfolder, "LoRA", **hub)
        tensors, metadata = files.read_safetensors(path)
        label = str(source)
        names = telling_names(path, label, adapter_name)
    models = models_of(pipe)
    if is_quantized(pipe.unet):
        raise UsageError(
            f"the UNet of this {type(pipe).__name__} is quantized and takes no LoRA; load the LoRA first, such as with "
            "load(…, lora=…, style=…, quantize='int8')"
        )
    shapes = {name: lora_shapes(model) for name, model in models.items()}
    plan = make_plan(tensors, metadata, shapes, _layers_per_block(pipe.unet))
    _refuse_or_warn(plan, len(tensors), label, type(pipe).__name__, strict)
    if hotswap:
        check_replaced_modules(models, plan, adapter_name)
        swapped = swap(pipe.unet, plan.modules["unet"], adapter_name)
        for option, value in _settings(swapped).items():
            if option != "target_modules":
                setattr(pipe.unet.peft_config[adapter_name], option, value)
    else:
        _apply(pipe, models, plan, adapter_name)
    counts = {component: len(modules) for component, modules in plan.modules.items()}
    left_out = tuple(item.key for item in plan.left_out)
    remember(pipe, LoadedLora(adapter_name, label, plan.layouts, distillation(metadata, names), counts, left_out))


def lora_shapes(model: ms.nn.Cell) -> dict[str, tuple[int, ...]]:
    """Return the weight shape of every module of a model that can have a LoRA, by module path.

    For a module that already has LoRAs, this is the shape of the base layer.
    """
    from mindone.peft.tuners.tuners_utils import BaseTunerLayer
    from mindspore import mint, nn

    shapes: dict[str, tuple[int, ...]] = {}
    inside = None  # the prefix of the current LoRA layer, whose own submodules are skipped
    for path, cell in model.cells_and_names():
        if inside is not None and path.startswith(inside):
            continue
        if isinstance(cell, BaseTunerLayer):
            inside = f"{path}."
            cell = cell.get_base_layer()
        if isinstance(cell, (mint.nn.Linear, mint.nn.Conv2d, nn.Dense, nn.Conv2d)) and ".processor." not in path:
            shapes[path] = tuple(cell.weight.shape)
    return shapes


def _layers_per_block(unet: Any) -> int | None:
    layers = unet.config.layers_per_block
    if isinstance(layers, int):
        return layers
    return layers[0] if len(set(layers)) == 1 else None


def _free_name(pipe: DiffusionPipeline, name: str | None) -> str:
    used = adapter_names(pipe)
    if name is None:
        return next(free for k in range(len(used), 2 * len(used) + 1) if (free := f"default_{k}") not in used)
    if not isinstance(name, str) or not name or "." in name:
        raise UsageError(f"adapter_name is {name!r}; expected a string without dots")
    if name in used:
        raise UsageError(
            f"the adapter name {name!r} is in use (loaded: {', '.join(sorted(used))}); choose another name, "
            f"or call delete_adapters({name!r}) first"
        )
    return name


def _refuse_or_warn(plan: Plan, total: int, label: str, pipeline: str, strict: bool) -> None:
    if not plan.modules and not plan.left_out:
        raise UsageError(f"{label} holds no tensors; expected a LoRA")
    if not plan.left_out:
        return
    faults = f"{label}: {len(plan.left_out)} of {total} keys do not match {pipeline}: {describe(plan.left_out)}"
    expected = "a LoRA made for this base model, in the layout of kohya, PEFT or diffusers"
    if strict:
        raise UsageError(
            f"{faults}. Expected {expected}; load it into the pipeline that it was made for, or pass strict=False to "
            "skip these modules with a warning"
        )
    if not plan.modules:
        raise UsageError(f"{faults}. No module is left to load. Expected {expected}")
    warn_user(f"skipped {faults}")


def _apply(pipe: DiffusionPipeline, models: Mapping[str, ms.nn.Cell], plan: Plan, adapter_name: str) -> None:
    for component, modules in plan.modules.items():
        state = _state_dict(component, modules)
        settings = {f"{component}.{key}": value for key, value in _settings(modules).items()}
        common = {"network_alphas": None, "adapter_name": adapter_name, "_pipeline": pipe, "metadata": settings}
        if component in _TEXT_ENCODERS:
            pipe.load_lora_into_text_encoder(
                state, text_encoder=models[component], prefix=component, lora_scale=pipe.lora_scale, **common
            )
        else:
            pipe.load_lora_into_unet(state, unet=models[component], **common)


def _state_dict(component: str, modules: Mapping[str, Module]) -> dict[str, Any]:
    """Return parameters with the names that mindone's loader expects."""
    import mindspore as ms

    # mindone's text encoder loader converts from diffusers' layout; its UNet loader expects PEFT's layout.
    down, up = (
        ("lora_linear_layer.down", "lora_linear_layer.up") if component in _TEXT_ENCODERS else ("lora_A", "lora_B")
    )
    state = {}
    for path, module in modules.items():
        for name, values in ((down, module.down), (up, module.up)):
            key = f"{component}.{path}.{name}.weight"
            state[key] = ms.Parameter(ms.Tensor(np.ascontiguousarray(values)), name=key)
    return state


def _settings(modules: Mapping[str, Module]) -> dict[str, Any]:
    """Return mindone's LoraConfig options for exactly these modules, each with its own rank and alpha."""
    ranks = {path: module.rank for path, module in modules.items()}
    alphas = {path: module.alpha for path, module in modules.items()}
    rank, rank_pattern = _patterns(ranks)
    alpha, alpha_pattern = _patterns(alphas)
    return {
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": rank_pattern,
        "alpha_pattern": alpha_pattern,
        "target_modules": _exactly(modules),
    }


def _patterns(values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the most common value, and for each other value a pattern that matches its modules."""
    groups: dict[Any, list[str]] = {}
    for path, value in values.items():
        groups.setdefault(value, []).append(path)
    usual = max(groups, key=lambda value: len(groups[value]))
    # One pattern per value, not per module: mindone tries every pattern on every module.
    return usual, {f"^{_exactly(paths)}": value for value, paths in groups.items() if value != usual}


def _exactly(paths: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, paths))})"
