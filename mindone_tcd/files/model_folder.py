"""Check a model's folder with the standard library only, so that errors occur before anything slow is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError, shown
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES as SHIPPED
from ..shapes.models import model as shipped_folder
from .allowed_classes import check_config, check_index, check_shards, is_value
from .hub import HUB_ID, fetch_file
from .json_object import read_json
from .model_parts import SCHEDULER, check_model, read_config, read_scheduler
from .safetensors import Header, check_floats, read_header
from .tokenizer_files import check_tokenizer

INDEX = "model_index.json"


@dataclass(frozen=True)
class Model:
    """The location of a model, and its properties that are known without loading it.

    Attributes:
        name: the name that the user gave.
        location: an absolute folder path, or a hub id.
        local: whether ``location`` is a folder.
        pipeline_class: from ``model_index.json``.
        vae_scale: pixels per latent in each direction.
        sample_size: default width and height in pixels, None if the UNet's configuration does not state it.
        cross_attention_dim: width of the prompt embeddings: 768 in SD 1.5, 1024 in SD 2, 2048 in SDXL.
        prediction_type: the scheduler's, None if its configuration does not state it.
        guidance_embedded: whether the guidance scale is an input of the UNet, as in latent consistency models.
        masked: whether the UNet also reads a mask and a masked image, as in models for inpainting.
        foreign: whether it is an exported model that only has the name of one in this package.
    """

    name: str
    location: str
    local: bool
    pipeline_class: str
    vae_scale: int = 8
    sample_size: int | None = None
    cross_attention_dim: int | None = None
    prediction_type: str | None = None
    guidance_embedded: bool = False
    masked: bool = False
    foreign: bool = False

    @property
    def shipped(self) -> bool:
        """Whether the model is in this package, or was exported from it."""
        return self.name in SHIPPED and not self.foreign


NEEDED = ("unet", "vae", "scheduler", "tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2")
"""The components that generate images. If the index has one of them, its entry must be a library and a class."""

_ENTRY = "expected a library and a class, or two nulls: fetch the model again"


def check_weights(folder: Path) -> list[Header]:
    """Check that a model's folder has safetensors, has all files that its index names, and that they are complete.

    Returns:
        The header of each file.

    Raises:
        UsageError: if a file is missing or damaged; the message names it.
    """
    indexes = sorted(folder.glob("*.safetensors.index*.json"))
    missing = sorted({shard for index in indexes for shard in _shards(index) if not (folder / shard).is_file()})
    if missing:
        raise UsageError(f"{folder} lacks {', '.join(missing)}, which its index names; fetch the model again")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        others = [p.name for p in folder.iterdir() if p.suffix in (".bin", ".ckpt", ".pt", ".msgpack")]
        hint = f" ({', '.join(others)} cannot be used: only safetensors are loaded)" if others else ""
        raise UsageError(f"{folder} has no .safetensors weights{hint}; fetch or save the model with safetensors")
    headers = [read_header(path) for path in files]
    for header in headers:
        check_floats(header)
    return headers


def _shards(index: Path) -> set[str]:
    """Return the files that a weight index names."""
    content = read_json(index)
    named = content.get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(file, str) for file in named.values()):
        raise UsageError(f"{index} should name a file for each key in weight_map; fetch the model again")
    check_shards(index, content)
    return set(named.values())


def find_model(name: str) -> Model:
    """Find a model and check its folder.

    Args:
        name: ``shapes`` or another shipped model, a folder, or a hub id such as
            ``stabilityai/stable-diffusion-xl-base-1.0``. For a hub id, only the configurations are downloaded here.

    Raises:
        UsageError: if the name is unknown, the folder has no ``model_index.json``, its files name code or classes that
            mindone does not have, weights are missing or damaged, or a hub id's configurations are neither cached nor
            available.
    """
    folder = shipped_folder(name) if name in SHIPPED else local_path(name)
    if not os.path.isdir(folder):
        if os.path.exists(folder):
            raise UsageError(f"{name} is a file; expected the folder of a model, {SHAPES!r}, or a hub id")
        if HUB_ID.fullmatch(name):
            return _describe(name, name, False, lambda part, file: fetch_file(name, file, part, "model"))
        raise UsageError(f"no model {name!r}: expected {SHAPES!r}, an existing folder, or a hub id (owner/name)")
    if not (folder / "model_index.json").is_file():
        raise UsageError(f"{folder} has no model_index.json; expected the folder of a whole pipeline")
    check_classes(folder)
    index = read_json(folder / "model_index.json")
    for part in part_folders(folder):
        _check_part(part, index[part.name][1])
    return _describe(name, str(folder.resolve()), True, lambda part, file: folder / (part or "") / file)


def part_folders(folder: Path, given: Collection[str] = ()) -> Iterator[Path]:
    """Yield the component folders that a pipeline's ``model_index.json`` names, in its order.

    Args:
        folder: the pipeline's folder.
        given: components that are not loaded from the folder.

    Raises:
        UsageError: at the first missing folder or invalid entry.
    """
    path = folder / INDEX
    for part, entry in read_json(path).items():
        if part.startswith("_") or part in given:
            continue
        if not isinstance(entry, list) or is_value(entry):
            if part in NEEDED:
                raise UsageError(f"{path}: {part} is {shown(entry)}; {_ENTRY}")
            continue
        if len(entry) == 2 and entry[0] is None:
            continue
        if len(entry) != 2 or not all(isinstance(name, str) for name in entry):
            raise UsageError(f"{path}: {part} is {shown(entry)}; {_ENTRY}")
        if Path(part).name != part:
            raise UsageError(f"{path} names {shown(part)}, which cannot be a folder in it; fetch the model again")
        if not (folder / part).is_dir():
            raise UsageError(f"{folder} lacks the folder {part}/ that model_index.json names; fetch the model again")
        yield folder / part


def _is_part(entry: object) -> bool:
    return isinstance(entry, list) and not is_value(entry) and entry[:1] != [None]


def check_classes(folder: Path, *, any_pipeline: bool = True) -> None:
    """Check that a pipeline's folder names only classes that may be loaded, and no code.

    Args:
        folder: the pipeline's folder.
        any_pipeline: whether its ``_class_name`` selects the class to load.

    Raises:
        UsageError: if not; the message names the file, the entry and what is expected.
    """
    index = read_json(folder / INDEX)
    check_index(folder / INDEX, index, any_pipeline=any_pipeline)
    for part, entry in index.items():
        if not part.startswith("_") and _is_part(entry):
            check_configs(folder / part if (folder / part).is_dir() else folder, entry[0])


def check_configs(folder: Path, library: str | None = None) -> None:
    """Check that the configurations in a component's folder refer to no code, and to no other folder.

    Args:
        folder: the component's folder.
        library: the library from which the pipeline's index loads the component.

    Raises:
        UsageError: if they do; the message names the file, the entry and what is expected.
    """
    for path in sorted(folder.glob("*config.json")):
        check_config(path, read_json(path), library)
    for path in sorted(folder.glob("*.safetensors.index*.json")):
        check_shards(path, read_json(path))


def local_path(name: str) -> Path:
    """Return ``name`` as a path, with ``~`` expanded.

    Raises:
        UsageError: if the user after ``~`` has no home directory.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"there is no home directory for {name!r}; pass the path without ~") from error


def _describe(name: str, location: str, local: bool, find: Callable[[str | None, str], Path]) -> Model:
    """Return the properties in a model's configurations; ``find`` returns the path of a component's file."""
    path = find(None, INDEX)
    index = read_json(path)
    check_index(path, index)
    vae, _ = read_config(find("vae", "config.json"), "vae")
    scale = 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
    unet, _ = read_config(find("unet", "config.json"), "unet")
    latent, cross = unet.get("sample_size"), unet.get("cross_attention_dim")
    return Model(
        name,
        location,
        local,
        index["_class_name"],
        scale,
        latent * scale if isinstance(latent, int) else None,
        cross if isinstance(cross, int) else None,
        read_scheduler(find("scheduler", SCHEDULER)).get("prediction_type"),
        unet.get("time_cond_proj_dim") is not None,
        unet.get("in_channels") == 2 * vae.get("latent_channels", 4) + 1,
    )


def _check_part(folder: Path, named: str) -> None:
    part = folder.name
    if part == "scheduler":
        read_scheduler(folder / SCHEDULER)
    elif part.startswith("tokenizer"):
        check_tokenizer(folder)
    elif part in ("unet", "vae") or part.startswith("text_encoder"):
        read_json(folder / "config.json")
        check_model(folder, check_weights(folder), named)


def check_lora(name: str) -> None:
    """Check a LoRA that is a file or a folder. A hub id is not checked.

    Raises:
        UsageError: if it does not exist, holds no or several safetensors files, or is damaged.
    """
    path = local_path(name)
    if os.path.isdir(path):
        check_floats(read_header(lora_file(path)))
    elif os.path.isfile(path):
        if path.suffix != ".safetensors":
            raise UsageError(f"{path} is not a .safetensors file; only safetensors are loaded: convert the LoRA")
        check_floats(read_header(path))
    elif not HUB_ID.fullmatch(name):
        raise UsageError(f"no LoRA {name!r}: expected a folder, a .safetensors file, a hub id (owner/name) or 'none'")


def lora_file(folder: Path, remedy: str = "pass the path of the LoRA's file") -> Path:
    """Return the LoRA in a folder: ``pytorch_lora_weights.safetensors``, or its only safetensors file.

    Args:
        folder: the folder.
        remedy: what to do if there are several, for the error message.

    Raises:
        UsageError: if there are none, or several of which none has that name.
    """
    standard = folder / "pytorch_lora_weights.safetensors"
    files = [standard] if standard.is_file() else sorted(folder.glob("*.safetensors"))
    if not files:
        raise UsageError(f"{folder} holds no safetensors file; expected one: fetch it again, or name another folder")
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise UsageError(f"{folder} holds {len(files)} safetensors files; {remedy}: {names}")
    return files[0]
