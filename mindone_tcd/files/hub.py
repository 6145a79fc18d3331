"""Get files of hub repositories from the cache, the Hugging Face hub or a mirror of it, or ModelScope.

If the hub does not answer (:mod:`~mindone_tcd.files.reachability`), only the cache is searched.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..errors import UsageError, first_line
from ..quiet import errors_only
from . import reachability

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
"""owner/name"""

HUBS = ("huggingface", "modelscope")
VARIABLE = "MINDONE_TCD_HUB"
"""The environment variable that selects one of :data:`HUBS` for the whole process."""

_chosen: ContextVar[str | None] = ContextVar("hub", default=None)


@contextlib.contextmanager
def using(name: str | None) -> Iterator[None]:
    """Select the hub for hub ids within this context; None uses the environment variable.

    Raises:
        UsageError: if the name is not one of :data:`HUBS`.
    """
    token = _chosen.set(None if name is None else _checked(name, "hub"))
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen() -> str:
    """Return the selected hub, one of :data:`HUBS`.

    Raises:
        UsageError: if the environment variable has another value.
    """
    return _chosen.get() or _checked(os.environ.get(VARIABLE) or HUBS[0], VARIABLE)


def _checked(name: object, where: str) -> str:
    if name not in HUBS:
        raise UsageError(f"{where} is {name!r}; expected one of: {', '.join(HUBS)}")
    return str(name)


def cache_alone() -> bool:
    """Return whether only the cache can be used, so that ``local_files_only`` must be passed to huggingface_hub.

    Without a network, this avoids the retries. With HF_HUB_OFFLINE, mindone would still request the file list of a
    sharded model if ``local_files_only`` were not passed.
    """
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or not reachability.reachable(constants.ENDPOINT)


def fetch_file(name: str, file: str, subfolder: str | None, what: str, **options: Any) -> Path:
    """Return the local path of a file of a repository; download the file if it is not cached.

    Args:
        name: the repository's id.
        file: the file's name.
        subfolder: the subfolder of the repository that contains the file.
        what: what the file is for ("LoRA"), for the error message.
        options: options of huggingface_hub, such as ``cache_dir`` or ``revision``.

    Raises:
        UsageError: if the file cannot be found or downloaded.
    """
    if chosen() == "modelscope":
        from . import modelscope_hub

        return modelscope_hub.fetch_file(name, f"{subfolder}/{file}" if subfolder else file, what, options)
    import huggingface_hub

    with hub_errors(name, what):
        if cache_alone():
            options["local_files_only"] = True
        return Path(huggingface_hub.hf_hub_download(name, file, subfolder=subfolder, **options))


def repository_here(name: str, what: str, options: dict[str, Any]) -> Path | None:
    """Return the cached folder of a repository if only the cache can be used; else None.

    Args:
        name: the repository's id.
        what: what the repository is for, for the error message.
        options: see :func:`fetch_file`.

    Raises:
        UsageError: if only the cache can be used, and the repository is not cached.
    """
    if chosen() == "modelscope":
        from . import modelscope_hub

        return modelscope_hub.repository_here(name, what, options)
    import huggingface_hub as hf

    with hub_errors(name, what):
        if not (options.get("local_files_only") or cache_alone()):
            return None
        known = {key: options[key] for key in ("cache_dir", "revision") if key in options}
        return Path(hf.snapshot_download(name, local_files_only=True, **known))


def list_files(name: str, what: str, options: dict[str, Any]) -> list[str]:
    """Return the paths of a repository's files. Arguments and errors are those of :func:`repository_here`."""
    if chosen() == "modelscope":
        from . import modelscope_hub

        return modelscope_hub.list_files(name, what, options)
    import huggingface_hub as hf

    with hub_errors(name, what):
        known = {key: options[key] for key in ("token", "revision") if key in options}
        return [sibling.rfilename for sibling in hf.model_info(name, **known).siblings or []]


@contextlib.contextmanager
def hub_errors(name: str, what: str) -> Iterator[None]:
    """Convert huggingface_hub's errors, with and without a network, to a UsageError that says what to do."""
    import huggingface_hub.utils  # its import sets the level of its logger
    from huggingface_hub import constants

    try:
        with errors_only(huggingface_hub.__name__):
            yield
    except UsageError:
        raise
    except (OSError, ValueError) as error:  # every error of huggingface_hub is one of these
        reason, mirror = first_line(error), ""
        if reachability.known_unreachable(constants.ENDPOINT):
            reason = f"{constants.ENDPOINT} cannot be reached, and it is not in the cache"
            mirror = f"set HF_ENDPOINT to a mirror or {VARIABLE}=modelscope, or "
        raise UsageError(
            f"cannot fetch the {what} {name!r} ({reason}); no local folder has this name either: with no "
            f"network, {mirror}download it elsewhere and give its folder"
        ) from error
