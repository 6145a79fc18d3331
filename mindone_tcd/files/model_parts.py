"""Check the components in a pipeline's folder, file by file, without MindSpore: fields, sizes and consistency."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .config_fields import FIELDS, check_fields, class_of
from .json_object import read_json
from .plausible import check_config, shapes_of
from .safetensors import Header, read_header
from .tokenizer_files import check_tokenizer

SCHEDULER = "scheduler_config.json"
_USUAL = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
_USUAL["text_encoder_2"] = "CLIPTextModelWithProjection"


def read_config(path: Path, part: str, named: str | None = None) -> tuple[dict[str, Any], str | None]:
    """Read a model's configuration and check its fields.

    Args:
        path: the file.
        part: the component's name in the pipeline, such as "unet".
        named: the class that will be built; None to use the configuration and the component's name.

    Returns:
        The configuration, and its class if known.

    Raises:
        UsageError: if the file cannot be read, or a field has a wrong type; the message names the file and the field.
    """
    config = read_json(path)
    own = class_of(config)
    kind = next((name for name in (named, own, _USUAL.get(part)) if name in FIELDS), named or own)
    check_fields(config, kind, path)
    return config, kind


def read_scheduler(path: Path) -> dict[str, Any]:
    """Read a scheduler's configuration and check its fields.

    Raises:
        UsageError: if the file cannot be read, has no scheduler fields, or a field has a wrong type; the message names
            the file and the field.
    """
    config = read_json(path)
    # Without these fields, a scheduler would use its own defaults instead of the model's values.
    if not config.keys() & FIELDS["scheduler"].keys():
        raise UsageError(f"{path} has none of a scheduler's fields; fetch or save the model again")
    check_fields(config, "scheduler", path)
    return config


def check_model(folder: Path, headers: Iterable[Header], named: str | None = None) -> None:
    """Check that a model's configuration is valid, and does not require a larger model than its weights can fill.

    Args:
        folder: the model's folder.
        headers: the headers of its weight files.
        named: the class that will be built.

    Raises:
        UsageError: if not; the message names the file and the field.
    """
    path = folder / "config.json"
    config, kind = read_config(path, folder.name, named)
    check_config(config, shapes_of(headers), kind, path)


def check_existing_files(folder: Path, named: str | None = None) -> None:
    """Check the files that a component's folder contains. Missing files are reported elsewhere.

    Args:
        folder: the folder of a model, a scheduler or a tokenizer.
        named: the class that will be built, if known.

    Raises:
        UsageError: if a file is invalid; the message names the file and, if applicable, the field.
    """
    if (folder / SCHEDULER).is_file():
        read_scheduler(folder / SCHEDULER)
    elif (folder / "vocab.json").is_file() or (folder / "merges.txt").is_file():
        check_tokenizer(folder)
    elif (folder / "config.json").is_file() and (files := sorted(folder.glob("*.safetensors"))):
        check_model(folder, map(read_header, files), named)
