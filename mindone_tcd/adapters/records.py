"""What is known of each LoRA that a pipeline has loaded; above all, which distillation it is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lora_layers import layers_of
from ..schedulers.methods import METHODS

_ATTRIBUTE = "_mindone_tcd_loras"
_FUSED = "_mindone_tcd_fused_loras"
_GENERIC = {"pytorch", "diffusion", "adapter", "model", "lora", "weights", "unet", "sd15", "sdxl", "fp16"}
_TELLING = ("modelspec.title", "modelspec.architecture", "ss_output_name", "ss_training_comment", "title", "name")


@dataclass(frozen=True)
class LoadedLora:
    """One LoRA of a pipeline.

    Attributes:
        name: the adapter's name in the pipeline.
        source: the folder, file or hub id that it came from; "a dict" for tensors that were handed over.
        layouts: the key layouts of its file ("kohya", "PEFT", …).
        distillation: the method ("lcm", "tcd", …) that its metadata, file or adapter name contains, or, for a file with
            a name such as pytorch_lora_weights.safetensors, its folder or hub id; else None.
        modules: how many modules it changes, by component ("unet", "text_encoder", "text_encoder_2").
        left_out: keys of its file that were not loaded, because strict=False allowed it.
    """

    name: str
    source: str
    layouts: tuple[str, ...]
    distillation: str | None
    modules: Mapping[str, int]
    left_out: tuple[str, ...] = ()


def distillation(metadata: Mapping[str, str], names: Iterable[str]) -> str | None:
    """The method that a LoRA was distilled for, such as "lcm"; None if no text names one, or one text names several.

    Args:
        metadata: of the safetensors file; it is asked first.
        names: then the names, the most telling one first.
    """
    names_of_methods = "|".join(method.name for method in METHODS.values() if method.distilled)
    pattern = re.compile(rf"(?<![a-z0-9])({names_of_methods})(?![a-z0-9])", re.IGNORECASE)
    for text in [*(metadata.get(key, "") for key in _TELLING), *names]:
        methods = {method.lower() for method in pattern.findall(text)}
        if methods:
            return methods.pop() if len(methods) == 1 else None
    return None


def telling_names(path: Path, source: str, adapter_name: str) -> list[str]:
    """The names that may tell what a LoRA distils, the most telling one first.

    A folder's name says it only if the file's says nothing at all: a project on TCD holds style LoRAs too.

    Args:
        path: of the file.
        source: the folder, file or hub id that the user gave.
        adapter_name: under which it is loaded.
    """
    generic = set(re.split(r"[\W_]+", path.stem.lower())) <= _GENERIC
    return [path.name, *((path.parent.name, Path(source).name) if generic else ()), adapter_name]


def remember(pipe: Any, record: LoadedLora) -> None:
    """Keep a record with the pipeline's UNet, so that pipelines which share the UNet share it."""
    records = dict(getattr(pipe.unet, _ATTRIBUTE, {}))
    records[record.name] = record
    object.__setattr__(pipe.unet, _ATTRIBUTE, records)


def loaded_loras(pipe: Any) -> dict[str, LoadedLora]:
    """The LoRAs that a pipeline holds now, by adapter name; deleted and unloaded ones are gone.

    Args:
        pipe: a pipeline of mindone with a UNet.

    Returns:
        A new dict; empty for a pipeline without LoRAs.
    """
    records = getattr(getattr(pipe, "unet", None), _ATTRIBUTE, {})
    present = adapter_names(pipe)
    return {name: record for name, record in records.items() if name in present}


def keep_fused(model: Any) -> None:
    """Note which LoRAs are fused into a model's weights, before they are unloaded, which leaves them there.

    Args:
        model: a model of mindone; one without records of LoRAs is passed over.
    """
    records = getattr(model, _ATTRIBUTE, {})
    fused = {name for layer in layers_of(model) for name in layer.merged_adapters} if records else set()
    kept = [record for name, record in records.items() if name in fused]
    object.__setattr__(model, _FUSED, (*getattr(model, _FUSED, ()), *kept))


def acting_loras(pipe: Any, distillations: set[str]) -> list[LoadedLora]:
    """The LoRAs that change what a pipeline's UNet does now: active with a weight, or fused, or fused and unloaded.

    Args:
        pipe: a pipeline; one without a UNet has none.
        distillations: the names of the methods that are asked for.
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


def adapter_names(pipe: Any) -> set[str]:
    """The names of all adapters in the UNet and the text encoders."""
    parts = (getattr(pipe, component, None) for component in ("unet", "text_encoder", "text_encoder_2"))
    return {name for part in parts for name in (getattr(part, "peft_config", None) or {})}
