"""Why a folder could not be loaded: mindone's error names one file; this says what is there and what to pass."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..errors import UsageError
from ..modelscope_hub import WEIGHTS
from .folder import check_weights, part_folders
from .placed_keys import WITHOUT_LORA


def explain(folder: Path, variant: str | None, given: Collection[str] = ()) -> None:
    """Look for what is wrong with the weights of a model's or a whole pipeline's folder.

    Args:
        folder: a folder with ``model_index.json``, or that of one model.
        variant: which was asked for, such as "fp16".
        given: parts of the pipeline that do not come from the folder.

    Raises:
        UsageError: if something is missing, of another variant, or damaged. It names it and says what to do.
    """
    if not (folder / "model_index.json").is_file():
        _explain_part(folder, variant)
        return
    parts = []
    for part in part_folders(folder, given):
        _refuse_adapter(part)
        if (part / "config.json").is_file():
            parts.append(part)
    found = [_variants(part) for part in parts]
    if variant is not None and not any(variant in variants for variants in found):
        _refuse_variant(folder, variant, set().union(*found))
    for part in parts:
        _explain_part(part, variant, fall_back=True)


def _variants(folder: Path) -> set[str | None]:
    """The variants of which a model's folder has weights; None stands for files without one."""
    matches = (WEIGHTS.fullmatch(path.name) for path in folder.glob("*.safetensors"))
    return {match["variant"] for match in matches if match}


def _explain_part(folder: Path, variant: str | None, fall_back: bool = False) -> None:
    _refuse_adapter(folder)
    check_weights(folder)
    found = _variants(folder)
    # A pipeline takes a part that has no files of the variant without it.
    if variant in found or (fall_back and None in found):
        return
    if variant is not None:
        _refuse_variant(folder, variant, found)
    names = sorted(str(name) for name in found)
    if names:
        raise UsageError(f'{folder} has only weights of the variant {", ".join(names)}; pass variant="{names[0]}"')


def _refuse_adapter(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise UsageError(f"{folder} holds an adapter and no model: it was saved with a LoRA in place; {WITHOUT_LORA}")


def _refuse_variant(folder: Path, variant: str, found: set[str | None]) -> None:
    there = [f'variant="{name}"' for name in sorted(str(name) for name in found if name is not None)]
    choices = [*(["leave variant out"] if None in found else []), *(f"pass {text}" for text in there)]
    if choices:
        raise UsageError(f"{folder} has no weights of the variant {variant!r}, but others: {', or '.join(choices)}")
