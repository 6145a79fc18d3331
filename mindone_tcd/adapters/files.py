"""Find an adapter's file (in a folder, as a file, or on a hub) and read it. Only safetensors; nothing is unpickled."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError, shown
from ..files.hub import HUB_ID, fetch_file, list_files, repository_here
from ..files.model_folder import local_path, lora_file
from ..files.safetensors import check_finite, check_floats, read_header, read_tensors

if TYPE_CHECKING:
    import mindspore as ms

HUB_OPTIONS = ("cache_dir", "force_download", "proxies", "local_files_only", "token", "revision")
"""Keyword arguments that are passed to huggingface_hub unchanged."""


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read all tensors of a file, and its metadata.

    NumPy has no bfloat16. Such tensors are widened to float32, which represents their values exactly.

    Returns:
        The tensors by name, in the order of their data in the file, and the metadata.

    Raises:
        UsageError: if the file is truncated or damaged, or holds a dtype that a weight cannot have, a NaN or an
            infinity.
    """
    header = read_header(path)
    check_floats(header)
    return dict(read_tensors(header)), header.metadata


def as_arrays(tensors: Mapping[str, np.ndarray | ms.Tensor]) -> dict[str, np.ndarray]:
    """Convert a state dict of MindSpore tensors or NumPy arrays to NumPy arrays; bfloat16 is widened to float32.

    Raises:
        UsageError: if a value is neither a tensor nor an array, or holds a NaN or an infinity.
    """
    arrays = {}
    for name, value in tensors.items():
        if not isinstance(value, np.ndarray) and hasattr(value, "asnumpy"):
            value = (value.float() if "BFloat16" in str(value.dtype) else value).asnumpy()
        if not isinstance(value, np.ndarray):
            kind = type(value)
            raise UsageError(
                f"{name!r} is a {kind.__module__}.{kind.__name__}; expected a MindSpore tensor or an array"
            )
        check_finite(value, shown(name))
        arrays[name] = value
    return arrays


def find(name: str | Path, weight_name: str | None, subfolder: str | None, what: str, **hub: Any) -> Path:
    """Return the path of an adapter's safetensors file. A file that is only on the hub is downloaded.

    Args:
        name: a folder, a safetensors file, or a hub id (owner/name).
        weight_name: the file's name in the folder or repository. With None, the file is
            ``pytorch_lora_weights.safetensors`` or the only safetensors file in the folder or repository.
        subfolder: the subfolder of the folder or repository that contains the file.
        what: the kind of adapter ("LoRA"), for error messages.
        hub: options from :data:`HUB_OPTIONS`.

    Raises:
        UsageError: if the file does not exist, is not safetensors, or cannot be downloaded.
    """
    if weight_name is not None and not weight_name.endswith(".safetensors"):
        raise UsageError(
            f"{weight_name!r} is not a .safetensors file; only safetensors are loaded, nothing is unpickled: "
            f"use the {what}'s safetensors file or convert it"
        )
    if not isinstance(name, (str, Path)):
        raise UsageError(f"no {what} {name!r}: expected a folder, a .safetensors file, or a hub id (owner/name)")
    path = local_path(str(name))
    if os.path.isfile(path):
        if path.suffix != ".safetensors":
            raise UsageError(
                f"{path} is not a .safetensors file; only safetensors are loaded, nothing is unpickled: "
                f"convert the {what}"
            )
        if weight_name not in (None, path.name):
            raise UsageError(f"{path} is a file, but weight_name={weight_name!r} names another; leave out one of them")
        return path
    if os.path.isdir(path):
        return _in_folder(path, weight_name, subfolder, what)
    if not HUB_ID.fullmatch(str(name)):
        raise UsageError(f"no {what} {str(name)!r}: expected a folder, a .safetensors file, or a hub id (owner/name)")
    return fetch(str(name), weight_name, subfolder, what, hub)


def _in_folder(folder: Path, weight_name: str | None, subfolder: str | None, what: str) -> Path:
    inner = folder / (subfolder or "")
    if not inner.is_dir():
        raise UsageError(
            f"{folder} has no folder {subfolder}; expected the {what} there: leave out subfolder or correct it"
        )
    if weight_name is None:
        _refuse_pickles(inner, what)
        return lora_file(inner, f"pass the name of the {what}'s file as weight_name")
    for candidate in (folder / weight_name, inner / weight_name):
        if candidate.is_file():
            return candidate
    there = ", ".join(sorted(p.name for p in inner.glob("*.safetensors"))) or "no safetensors file"
    wanted = f"{subfolder}/{weight_name}" if subfolder else weight_name
    raise UsageError(f"{folder} has no {wanted}; there is: {there}; pass one of these as weight_name")


def _refuse_pickles(folder: Path, what: str) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    if pickles:
        raise UsageError(
            f"{folder} holds {', '.join(pickles)} but no .safetensors file; only safetensors are loaded, nothing is "
            f"unpickled: convert the {what}"
        )


def fetch(name: str, file: str | None, subfolder: str | None, what: str, hub: dict[str, Any]) -> Path:
    """Return the path of a file of a hub repository, from the cache or the network.

    Args:
        name: the repository's id.
        file: the file's name; None for the adapter's safetensors file.
        subfolder: the subfolder of the repository that contains the file.
        what: the kind of adapter, for error messages.
        hub: options from :data:`HUB_OPTIONS`.

    Raises:
        UsageError: if the file cannot be found or downloaded.
    """
    if file is None:
        here = repository_here(name, what, hub)
        if here is not None:
            return _in_folder(here, None, subfolder, what)
        file = _only_one(name, list_files(name, what, hub), subfolder, what)
    return fetch_file(name, file, subfolder, what, **hub)


def _only_one(name: str, files: Iterable[str], subfolder: str | None, what: str) -> str:
    top = f"{subfolder}/" if subfolder else ""
    inside = [file.removeprefix(top) for file in files if file.startswith(top)]
    found = [file for file in inside if file.endswith(".safetensors") and "/" not in file]
    standard = "pytorch_lora_weights.safetensors"
    if standard in found:
        return standard
    if len(found) != 1:
        listed = ", ".join(sorted(found)) or "none"
        raise UsageError(
            f"{name} holds {len(found)} safetensors files ({listed}); pass the name of the {what}'s file as weight_name"
        )
    return found[0]
