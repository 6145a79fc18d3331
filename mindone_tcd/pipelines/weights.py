"""Which weights a model or LoRA has: a SHA-256 over its safetensors files, for the record of an image.

The digest of a LoRA is that of its file. The digest of a model covers the names and contents of the weights of all its
parts: in each folder that ``model_index.json`` names, the files without a variant, or all of them where each has one.
It covers no configuration, no tokenizer and no scheduler.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from .folder import Model, lora_file, part_folders

State = tuple[int, int, int]
"""Size in bytes, time of the last change in nanoseconds, and number in the file system."""


@dataclass(frozen=True)
class Weights:
    """Safetensors files as they were when a pipeline was loaded from them.

    Attributes:
        files: path by name; the names go into the digest.
        states: of the files, in the same order.
    """

    files: Mapping[str, Path]
    states: tuple[State, ...]

    def sha256(self) -> str | None:
        """64 hexadecimal digits; None if a file was changed or removed since, so that nobody can tell any more.

        The files are read once a process.
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
    """The weights of a model as they are now; None for a model of the hub that is not whole on this machine."""
    folder = Path(model.location) if model.local else _folder_of_hub(model.location)
    if folder is None:
        return None
    try:
        files = [path for part in part_folders(folder) for path in _files(part)]
    except UsageError:
        return None
    return _as_they_are({path.relative_to(folder).as_posix(): path for path in files})


def weights_of_lora(lora: str | Path) -> Weights | None:
    """The weights of a LoRA as they are now; None for a hub id.

    Args:
        lora: a file, the folder of one, or a hub id.

    Raises:
        UsageError: if the folder holds no safetensors file, or several.
    """
    path = Path(lora)
    if path.is_dir():
        path = lora_file(path)
    return _as_they_are({"": path}) if path.is_file() else None


def _files(part: Path) -> list[Path]:
    """The weights that are loaded: a name such as ``model.fp16.safetensors`` is that of a variant."""
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
    """Of a file's content. ``state`` is there for the cache: a file that has changed is read again."""
    digest, block = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as stream:
        while length := stream.readinto(block):
            digest.update(block[:length])
    return digest.hexdigest()


def _folder_of_hub(name: str) -> Path | None:
    """Where huggingface_hub keeps a repository on this machine; nothing is fetched."""
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(name, "model_index.json")
    return Path(found).parent if isinstance(found, str) else None
