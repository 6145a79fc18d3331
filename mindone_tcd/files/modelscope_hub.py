"""Get files of repositories on ModelScope through the optional modelscope package.

Only the files that loading needs are downloaded: configurations, tokenizers, and safetensors of the requested variant.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import UsageError, first_line
from ..quiet import errors_only
from . import reachability

WEIGHTS = re.compile(r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>[^.-]+))?(?:-\d+-of-\d+)?\.safetensors")
"""Matches the weight files of a model; the group gives their variant."""

_BESIDE_WEIGHTS = (".json", ".txt", ".model")
_OPTIONS = ("cache_dir", "revision")
_REFUSED = ("token", "proxies", "force_download")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"the hub modelscope needs the package modelscope ({first_line(error)}); "
            'pip install "mindone-tcd[modelscope]", or choose the hub huggingface'
        ) from error


@contextlib.contextmanager
def _errors(name: str, what: str) -> Iterator[None]:
    _module("modelscope")
    try:
        with errors_only("modelscope"):
            yield
    except UsageError:
        raise
    except Exception as error:  # its errors have no common class
        raise UsageError(
            f"cannot fetch the {what} {name!r} from ModelScope ({first_line(error)}); look there for the repository's "
            "id, choose the hub huggingface, or download it elsewhere and give its folder"
        ) from error


def _known(options: dict[str, Any]) -> dict[str, Any]:
    refused = [name for name in _REFUSED if options.get(name)]
    if refused:
        raise UsageError(f"the hub modelscope does not support {refused[0]}; leave it out, or run `modelscope login`")
    return {name: str(options[name]) for name in _OPTIONS if options.get(name) is not None}


def _cache_alone(options: dict[str, Any]) -> bool:
    domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
    return bool(options.get("local_files_only")) or not reachability.reachable(f"https://{domain}")


def fetch_file(name: str, file: str, what: str, options: dict[str, Any]) -> Path:
    """Get a file; see :func:`mindone_tcd.files.hub.fetch_file`.

    Args:
        name: the repository's id.
        file: its path in the repository.
        what: what the file is for, for the error message.
        options: options of huggingface_hub. Those that ModelScope does not support raise an error.
    """
    known = _known(options)
    with _errors(name, what):
        download = _module("modelscope.hub.file_download").model_file_download
        found = download(name, file, local_files_only=_cache_alone(options), **known)
        if not found or not os.path.isfile(found):
            raise FileNotFoundError(f"there is no {file}")
        return Path(found)


def repository_here(name: str, what: str, options: dict[str, Any]) -> Path | None:
    """Return the cached folder; see :func:`mindone_tcd.files.hub.repository_here`."""
    known = _known(options)
    with _errors(name, what):
        if not _cache_alone(options):
            return None
        return Path(_module("modelscope").snapshot_download(name, local_files_only=True, **known))


def list_files(name: str, what: str, options: dict[str, Any]) -> list[str]:
    """Return the paths of a repository's files; see :func:`mindone_tcd.files.hub.list_files`."""
    known = _known(options)
    with _errors(name, what):
        revision = {"revision": known["revision"]} if "revision" in known else {}
        entries = _module("modelscope.hub.api").HubApi().get_model_files(name, recursive=True, **revision)
        return [entry["Path"] for entry in entries if entry.get("Type") != "tree"]


def fetch_folder(name: str, subfolder: str | None, whole: bool, options: dict[str, Any]) -> Path:
    """Return the local folder of a repository, with the files that a pipeline or a model needs.

    Args:
        name: the repository's id.
        subfolder: the subfolder of the repository that contains the model.
        whole: whether the repository is a whole pipeline, not a single model.
        options: options of ``from_pretrained``; ``variant`` selects the weights.

    Raises:
        UsageError: if the files cannot be found or downloaded.
    """
    what = "pipeline" if whole else "model"
    here = repository_here(name, what, options)
    if here is not None:
        return here
    if whole:
        index = json.loads(fetch_file(name, "model_index.json", what, options).read_text(encoding="utf-8"))
        parts = [part for part, entry in index.items() if isinstance(entry, list) and entry[:1] != [None]]
        folders = ["", *(f"{part}/" for part in parts)]
    else:
        folders = [f"{subfolder}/" if subfolder else ""]
    files = list_files(name, what, options)
    wanted = [file for folder in folders for file in needed(files, folder, options.get("variant"))]
    if not wanted:
        raise UsageError(
            f"{name} on ModelScope has no {what} in {subfolder or 'its top folder'}; look there for the right subfolder"
        )
    for file in wanted:
        found = fetch_file(name, file, what, options)
    return found.parents[file.count("/")]


def needed(files: Iterable[str], folder: str, variant: str | None) -> list[str]:
    """Return the files directly in a folder ("" or with a trailing slash) that loading reads."""
    inside = [file for file in files if file.startswith(folder) and "/" not in file[len(folder) :]]
    weights = {file: match for file in inside if (match := WEIGHTS.fullmatch(file[len(folder) :]))}
    # As in mindone, a component without files of the variant is loaded without a variant.
    chosen = variant if any(match["variant"] == variant for match in weights.values()) else None
    return [
        file
        for file in inside
        if file.endswith(_BESIDE_WEIGHTS) or (file in weights and weights[file]["variant"] == chosen)
    ]
