"""The parts of a pipeline's folder, checked file by file, without MindSpore: fields, sizes, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files.config_fields import FIELDS, check_fields, class_of
from ..files.json_object import read_json
from ..files.plausible import check_config, shapes_of
from ..files.safetensors import Header, read_header
from ..files.tokenizer_files import check_tokenizer

SCHEDULER = "scheduler_config.json"
_USUAL = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
_USUAL["text_encoder_2"] = "CLIPTextModelWithProjection"


def read_config(path: Path, part: str, named: str | None = None) -> tuple[dict[str, Any], str | None]:
    """A model's configuration, its fields checked.

    Args:
        path: of the file.
        part: the part's name in the pipeline, such as "unet".
        named: the class that will be built; None to go by the configuration and the part's name.

    Returns:
        the configuration, and the class that it is of, if that is known.

    Raises:
        UsageError: naming the file, if it cannot be read, and the first field of a wrong type.
    """
    config = read_json(path)
    own = class_of(config)
    kind = next((name for name in (named, own, _USUAL.get(part)) if name in FIELDS), named or own)
    check_fields(config, kind, path)
    return config, kind


def read_scheduler(path: Path) -> dict[str, Any]:
    """A scheduler's configuration, its fields checked.

    Raises:
        UsageError: naming the file, if it cannot be read or holds none of them, and the first field of a wrong type.
    """
    config = read_json(path)
    # With none of its fields, a scheduler would begin with values of its own, which are not the model's.
    if not config.keys() & FIELDS["scheduler"].keys():
        raise UsageError(f"{path} holds none of a scheduler's fields; fetch or save the model again")
    check_fields(config, "scheduler", path)
    return config


def check_model(folder: Path, headers: Iterable[Header], named: str | None = None) -> None:
    """Make sure that a model's configuration is one, and asks for no larger model than its weights can fill.

    Args:
        folder: of the model.
        headers: of its weights.
        named: the class that will be built.

    Raises:
        UsageError: naming the file and the field.
    """
    path = folder / "config.json"
    config, kind = read_config(path, folder.name, named)
    check_config(config, shapes_of(headers), kind, path)


def check_what_is_there(folder: Path, named: str | None = None) -> None:
    """Check the files of a part that its folder holds; what it lacks is found elsewhere.

    Args:
        folder: of a model, a scheduler or a tokenizer.
        named: the class that will be built, if it is known.

    Raises:
        UsageError: naming the file, and the field if it is one.
    """
    if (folder / SCHEDULER).is_file():
        read_scheduler(folder / SCHEDULER)
    elif (folder / "vocab.json").is_file() or (folder / "merges.txt").is_file():
        check_tokenizer(folder)
    elif (folder / "config.json").is_file() and (files := sorted(folder.glob("*.safetensors"))):
        check_model(folder, map(read_header, files), named)
