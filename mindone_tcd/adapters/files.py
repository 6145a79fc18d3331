"""Where an adapter's file is (folder, file or hub id) and what is in it; safetensors only, nothing is unpickled."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..files.safetensors import check_finite, check_floats, read_header, read_tensors, shown
from ..hub import HUB_ID, fetch_file, list_files, repository_here
from ..pipelines.folder import local_path, lora_file

HUB_OPTIONS = ("cache_dir", "force_download", "proxies", "local_files_only", "token", "revision")
"""Keyword arguments that go to huggingface_hub as they are."""


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All tensors of a file, and its metadata.

    NumPy has no bfloat16: such tensors are widened to float32, which holds their values exactly.

    Returns:
        The tensors by name, in the order in which they lie in the file, and the metadata.

    Raises:
        UsageError: if the file is truncated or damaged, holds a dtype that a weight cannot have, a NaN or an infinity.
    """
    header = read_header(path)
    check_floats(header)
    return dict(read_tensors(header)), header.metadata


def as_arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """A state dict of MindSpore tensors or NumPy arrays as NumPy arrays; bfloat16 is widened to float32.

    Raises:
        UsageError: for values that are neither, and for a NaN and an infinity.
    """
    arrays = {}
    for name, value in tensors.items():
        if hasattr(value, "asnumpy"):
            value = (value.float() if "BFloat16" in str(value.dtype) else value).asnumpy()
        if not isinstance(value, np.ndarray):
            kind = type(value)
            raise UsageError(
                f"{name!r} is a {kind.__module__}.{kind.__name__}; expected a MindSpore tensor or an array"
            )
        check_finite(value, shown(name))
        arrays[name] = value
    return arrays


def find(name: Any, weight_name: str | None, subfolder: str | None, what: str, **hub: Any) -> Path:
    """The safetensors file that a call means; one that is only on the hub is fetched.

    Args:
        name: a folder, a safetensors file, or a hub id (owner/name).
        weight_name: the file's name in the folder or repository; None for ``pytorch_lora_weights.safetensors`` or
            the only safetensors file that is there.
        subfolder: where in the folder or repository to look.
        what: what is looked for ("LoRA"), for the messages.
        hub: of :data:`HUB_OPTIONS`.

    Raises:
        UsageError: if there is no such file, it is not safetensors, or it cannot be fetched.
    """
    if weight_name is not None and not weight_name.endswith(".safetensors"):
        raise UsageError(
            f"{weight_name!r} is not a .safetensors file; only safetensors are loaded, nothing is unpickled: "
            f"take the {what}'s safetensors file or convert it"
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
            raise UsageError(f"{path} is a file, so weight_name={weight_name!r} names another; leave one of them out")
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
            f"{folder} has no folder {subfolder}; expected the {what} there: leave subfolder out or mend it"
        )
    if weight_name is None:
        _refuse_pickles(inner, what)
        return lora_file(inner, f"name the {what}'s file with weight_name")
    for candidate in (folder / weight_name, inner / weight_name):
        if candidate.is_file():
            return candidate
    there = ", ".join(sorted(p.name for p in inner.glob("*.safetensors"))) or "no safetensors file"
    wanted = f"{subfolder}/{weight_name}" if subfolder else weight_name
    raise UsageError(f"{folder} has no {wanted}; there is: {there}; give one of these as weight_name")


def _refuse_pickles(folder: Path, what: str) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    if pickles:
        raise UsageError(
            f"{folder} holds {', '.join(pickles)} and no .safetensors file; only safetensors are loaded, nothing is "
            f"unpickled: convert the {what}"
        )


def fetch(name: str, file: str | None, subfolder: str | None, what: str, hub: dict[str, Any]) -> Path:
    """A file of a hub repository, from the cache or the network.

    Args:
        name: the repository's id.
        file: its name; None for the adapter's safetensors file.
        subfolder: where it is.
        what: what is looked for, for the message.
        hub: of :data:`HUB_OPTIONS`.

    Raises:
        UsageError: if it cannot be had.
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
        raise UsageError(f"{name} holds {len(found)} safetensors files ({listed}); name the {what}'s with weight_name")
    return found[0]
