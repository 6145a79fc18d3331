"""Explain why a folder cannot be loaded.

mindone's error names only one missing file. This module's errors say which weights exist and which option loads them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..errors import UsageError, first_line
from ..files import model_parts
from ..files.json_object import read_json
from ..files.model_folder import check_weights, part_folders
from ..files.modelscope_hub import WEIGHTS
from .matched_keys import WITHOUT_LORA


def explain(folder: Path, variant: str | None, given: Collection[str] = ()) -> None:
    """Find the fault in the weights of a model's or a pipeline's folder.

    Args:
        folder: a folder with ``model_index.json``, or the folder of one model.
        variant: the requested variant, such as "fp16".
        given: components of the pipeline that are not loaded from the folder.

    Raises:
        UsageError: if weights are missing, damaged or of another variant; the message names them and says what to do.
    """
    if not (folder / "model_index.json").is_file():
        _explain_part(folder, variant)
        return
    models = []
    for part in part_folders(folder, given):
        _refuse_adapter(part)
        if (part / "config.json").is_file():
            models.append(part)
    found = [_variants(part) for part in models]
    if variant is not None and not any(variant in variants for variants in found):
        _refuse_variant(folder, variant, set().union(*found))
    for part in models:
        _explain_part(part, variant, fall_back=True)


def check_existing_files(folder: Path, named: str, given: Collection[str] = ()) -> None:
    """Check the files of a model's or a pipeline's folder before loading. Missing files are not reported here.

    Args:
        folder: a folder with ``model_index.json``, or the folder of one model, scheduler or tokenizer.
        named: the requested class.
        given: components of the pipeline that are not loaded from the folder.

    Raises:
        UsageError: if a file is invalid; the message names the file and, if applicable, the field.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        model_parts.check_existing_files(folder, named)
        return
    classes = read_json(index)
    for part in part_folders(folder, given):
        model_parts.check_existing_files(part, classes[part.name][1])


def raise_with_component(folder: Path, error: Exception) -> None:
    """Convert a library's error to a UsageError that names the folder and the component that was being loaded.

    Args:
        folder: a local folder.
        error: the error that loading raised. UsageErrors, and errors that are not caused by the folder, are ignored.

    Raises:
        UsageError: with the error as its cause.
    """
    if isinstance(error, (UsageError, MemoryError, ImportError)):
        return
    part, frame = "", error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name == "load_sub_model":
            part = f"{frame.tb_frame.f_locals.get('name')} of "
        frame = frame.tb_next
    raise UsageError(
        f"{part}{folder} cannot be loaded ({type(error).__name__}: {first_line(error)}); "
        "fetch or save the model again, or check the options of this call"
    ) from error


def _variants(folder: Path) -> set[str | None]:
    """Return the variants of the weights in a model's folder, with None for files without a variant."""
    matches = (WEIGHTS.fullmatch(path.name) for path in folder.glob("*.safetensors"))
    return {match["variant"] for match in matches if match}


def _explain_part(folder: Path, variant: str | None, fall_back: bool = False) -> None:
    _refuse_adapter(folder)
    check_weights(folder)
    found = _variants(folder)
    # For a component without files of the variant, a pipeline uses the files without a variant.
    if variant in found or (fall_back and None in found):
        return
    if variant is not None:
        _refuse_variant(folder, variant, found)
    names = sorted(str(name) for name in found)
    if names:
        raise UsageError(f'{folder} has only weights of the variant {", ".join(names)}; pass variant="{names[0]}"')


def _refuse_adapter(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise UsageError(f"{folder} contains an adapter and no model: it was saved with a LoRA loaded; {WITHOUT_LORA}")


def _refuse_variant(folder: Path, variant: str, found: set[str | None]) -> None:
    there = [f'variant="{name}"' for name in sorted(str(name) for name in found if name is not None)]
    choices = [*(["leave variant out"] if None in found else []), *(f"pass {text}" for text in there)]
    if choices:
        raise UsageError(f"{folder} has no weights of the variant {variant!r}, but others: {', or '.join(choices)}")
