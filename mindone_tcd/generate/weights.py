"""Identify the weights of a model or LoRA by a SHA-256 digest of its safetensors files, for an image's record.

A LoRA's digest is that of its file. A model's digest covers the names and contents of the weight files of all its
components. In each folder that ``model_index.json`` names, these are the files without a variant, or all files if each
has a variant. It does not cover configurations, tokenizers and the scheduler.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..files.digests import file_sha256
from ..files.model_folder import Model, lora_file, part_folders
from .parts import Part

State = tuple[int, int, int]
"""Size in bytes, modification time in nanoseconds, and inode number."""


@dataclass(frozen=True)
class Weights:
    """The safetensors files of a pipeline at the time of loading.

    Attributes:
        files: path by name; the digest covers the names.
        states: the states of the files, in the same order.
    """

    files: Mapping[str, Path]
    states: tuple[State, ...]

    def sha256(self) -> str | None:
        """Return 64 hexadecimal digits; None if a file has changed or was removed since, so that the digest is unknown.

        Each file is read once per process.
        """
        try:
            if tuple(map(_state, self.files.values())) != self.states:
                return None
            digests = {
                name: _sha256(path, state) for (name, path), state in zip(self.files.items(), self.states, strict=True)
            }
            if tuple(map(_state, self.files.values())) != self.states:
                return None
        except OSError:
            return None
        if list(digests) == [""]:
            return digests[""]
        text = "".join(f"{name}\0{digest}\n" for name, digest in sorted(digests.items()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def weights_of_model(model: Model) -> Weights | None:
    """Return the current weights of a model; None for a hub model that is not completely cached."""
    folder = Path(model.location) if model.local else _folder_of_hub(model.location)
    if folder is None:
        return None
    try:
        files = [path for part in part_folders(folder) for path in _files(part)]
    except UsageError:
        return None
    return _as_they_are({path.relative_to(folder).as_posix(): path for path in files})


def weights_of_lora(lora: str | Path) -> Weights | None:
    """Return the current weights of a LoRA; None for a hub id.

    Args:
        lora: a file, its folder, or a hub id.

    Raises:
        UsageError: if the folder holds no safetensors file, or several.
    """
    path = Path(lora)
    if path.is_dir():
        path = lora_file(path)
    return _as_they_are({"": path}) if path.is_file() else None


def weights_of_part(part: Part) -> Weights | None:
    """Return the current weights of a part beside the model; None for a hub id.

    Of a folder with subfolders, such as that of an IP-Adapter, all safetensors files count.
    """
    path = Path(part.location)
    if part.source == "hub":
        return None
    if path.is_file():
        return _as_they_are({"": path})
    return _as_they_are({file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*.safetensors"))})


def _files(part: Path) -> list[Path]:
    """Return the weight files that loading reads. A name such as ``model.fp16.safetensors`` has a variant."""
    files = sorted(part.glob("*.safetensors"))
    return [path for path in files if "." not in path.stem] or files


def _as_they_are(files: dict[str, Path]) -> Weights | None:
    try:
        return Weights(files, tuple(map(_state, files.values()))) if files else None
    except OSError:
        return None


def _state(path: Path) -> State:
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns, about.st_ino


@functools.lru_cache(maxsize=1024)
def _sha256(path: Path, state: State) -> str:
    """Return the digest of a file's content. ``state`` is a cache key: a changed file is read again."""
    return file_sha256(path)


def _folder_of_hub(name: str) -> Path | None:
    """Return the cache folder of a repository in huggingface_hub's cache. Nothing is downloaded."""
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(name, "model_index.json")
    return Path(found).parent if isinstance(found, str) else None
