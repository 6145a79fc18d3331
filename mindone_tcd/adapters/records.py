"""What is known of each LoRA that a pipeline has loaded; above all, which distillation it is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ATTRIBUTE = "_mindone_tcd_loras"
_METHOD = re.compile(r"(?<![a-z])(lcm|tcd)(?![a-z])", re.IGNORECASE)
_TELLING = ("modelspec.title", "modelspec.architecture", "ss_output_name", "ss_training_comment", "title", "name")


@dataclass(frozen=True)
class LoadedLora:
    """One LoRA of a pipeline.

    Attributes:
        name: the adapter's name in the pipeline.
        source: the folder, file or hub id that it came from; "a dict" for tensors that were handed over.
        layouts: the key layouts of its file ("kohya", "PEFT", …).
        distillation: "lcm" or "tcd" if its metadata, file, folder, hub id or adapter name says so, else None.
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
    """Which method a LoRA distils: "lcm", "tcd", or None if nothing says so, or one text says both.

    Args:
        metadata: of the safetensors file; it is asked first.
        names: then the names, the most telling one first.
    """
    for text in [*(metadata.get(key, "") for key in _TELLING), *names]:
        methods = {method.lower() for method in _METHOD.findall(text)}
        if methods:
            return methods.pop() if len(methods) == 1 else None
    return None


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


def adapter_names(pipe: Any) -> set[str]:
    """The names of all adapters in the UNet and the text encoders."""
    parts = (getattr(pipe, component, None) for component in ("unet", "text_encoder", "text_encoder_2"))
    return {name for part in parts for name in (getattr(part, "peft_config", None) or {})}
