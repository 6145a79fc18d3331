"""Records of the LoRAs that a pipeline has loaded, in particular which distillation each one is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..lora_layers import layers_of
from ..schedulers.methods import METHODS

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline

_ATTRIBUTE = "_mindone_tcd_loras"
_FUSED = "_mindone_tcd_fused_loras"
_GENERIC = {"pytorch", "diffusion", "adapter", "model", "lora", "weights", "unet", "sd15", "sdxl", "fp16"}
_TELLING = ("modelspec.title", "modelspec.architecture", "ss_output_name", "ss_training_comment", "title", "name")


@dataclass(frozen=True)
class LoadedLora:
    """One LoRA of a pipeline.

    Attributes:
        name: the adapter's name in the pipeline.
        source: the folder, file or hub id that it was loaded from; "a dict" for tensors passed directly.
        layouts: the key layouts of its file ("kohya", "PEFT", …).
        distillation: the method ("lcm", "tcd", …) if its metadata, file name or adapter name says so. For a file with a
            generic name such as pytorch_lora_weights.safetensors, its folder or hub id also counts. Otherwise None.
        modules: the number of modules that it changes, by component ("unet", "text_encoder", "text_encoder_2").
        left_out: keys of its file that strict=False skipped.
    """

    name: str
    source: str
    layouts: tuple[str, ...]
    distillation: str | None
    modules: Mapping[str, int]
    left_out: tuple[str, ...] = ()


def distillation(metadata: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the method that a LoRA distills, such as "lcm"; None if no text names one, or one text names several.

    Args:
        metadata: the safetensors file's metadata, which takes precedence over the names.
        names: the names, most significant first.
    """
    names_of_methods = "|".join(method.name for method in METHODS.values() if method.distilled)
    pattern = re.compile(rf"(?<![a-z0-9])({names_of_methods})(?![a-z0-9])", re.IGNORECASE)
    for text in [*(metadata.get(key, "") for key in _TELLING), *names]:
        methods = {method.lower() for method in pattern.findall(text)}
        if methods:
            return methods.pop() if len(methods) == 1 else None
    return None


def telling_names(path: Path, source: str, adapter_name: str) -> list[str]:
    """Return the names that may say what a LoRA distills, most significant first.

    A folder's name counts only if the file's name is generic, because a folder for TCD may also contain style LoRAs.

    Args:
        path: the LoRA's file.
        source: the folder, file or hub id that the user gave.
        adapter_name: the adapter's name.
    """
    generic = set(re.split(r"[\W_]+", path.stem.lower())) <= _GENERIC
    return [path.name, *((path.parent.name, Path(source).name) if generic else ()), adapter_name]


def remember(pipe: DiffusionPipeline, record: LoadedLora) -> None:
    """Store a record on the pipeline's UNet, so that pipelines that share the UNet share the record."""
    records = dict(getattr(pipe.unet, _ATTRIBUTE, {}))
    records[record.name] = record
    object.__setattr__(pipe.unet, _ATTRIBUTE, records)


def loaded_loras(pipe: DiffusionPipeline) -> dict[str, LoadedLora]:
    """Return the LoRAs that a pipeline has now, by adapter name. Deleted and unloaded LoRAs are not included.

    Args:
        pipe: a pipeline of mindone with a UNet.

    Returns:
        A new dict; empty for a pipeline without LoRAs.
    """
    records = getattr(getattr(pipe, "unet", None), _ATTRIBUTE, {})
    present = adapter_names(pipe)
    return {name: record for name, record in records.items() if name in present}


def keep_fused(model: ms.nn.Cell) -> None:
    """Record which LoRAs are fused into a model's weights. Call it before unloading: fused weights stay in the model.

    Args:
        model: a model of mindone; a model without LoRA records is skipped.
    """
    records = getattr(model, _ATTRIBUTE, {})
    fused = {name for layer in layers_of(model) for name in layer.merged_adapters} if records else set()
    fused_records = [record for name, record in records.items() if name in fused]
    object.__setattr__(model, _FUSED, (*getattr(model, _FUSED, ()), *fused_records))


def acting_loras(pipe: DiffusionPipeline, distillations: set[str]) -> list[LoadedLora]:
    """Return the LoRAs that affect a pipeline's UNet now: active with a nonzero weight, fused, or fused and unloaded.

    Args:
        pipe: a pipeline; a pipeline without a UNet has no LoRAs.
        distillations: the names of the methods to look for.
    """
    unet = getattr(pipe, "unet", None)
    loaded = {name: record for name, record in loaded_loras(pipe).items() if record.distillation in distillations}
    fused = [record for record in getattr(unet, _FUSED, ()) if record.distillation in distillations]
    acting = set()
    for layer in layers_of(unet) if loaded else ():
        if not layer.disable_adapters:
            weighted = {name for name in layer.active_adapters if layer.scaling.get(name)}
            acting |= {*weighted, *layer.merged_adapters}
    return [*fused, *(record for name, record in loaded.items() if name in acting)]


def adapter_names(pipe: DiffusionPipeline) -> set[str]:
    """Return the names of all adapters in the UNet and the text encoders."""
    parts = (getattr(pipe, component, None) for component in ("unet", "text_encoder", "text_encoder_2"))
    return {name for part in parts for name in (getattr(part, "peft_config", None) or {})}
