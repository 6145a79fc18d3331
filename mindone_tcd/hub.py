"""Files of hub repositories: from the cache, the Hugging Face hub or a mirror of it, or ModelScope.

huggingface_hub retries for 23 seconds before it says that there is no network. Here one quick request finds out whether
the hub answers at all; where it does not, only what was fetched before is looked for.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .errors import UsageError, first_line
from .quiet import errors_only

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
"""owner/name"""

HUBS = ("huggingface", "modelscope")
VARIABLE = "MINDONE_TCD_HUB"
"""The environment variable that names one of :data:`HUBS` for the whole process."""

_chosen: ContextVar[str | None] = ContextVar("hub", default=None)

_PATIENCE = 2.5
"""Seconds within which a hub has to answer; HF_HUB_ETAG_TIMEOUT, where it is set, counts instead."""
_KEPT = 30.0
"""Seconds for which an answer, or none, is taken as still true."""
_answers: dict[str, tuple[float, bool]] = {}


@contextlib.contextmanager
def using(name: str | None) -> Iterator[None]:
    """Take hub ids from this hub meanwhile; None leaves the choice to the environment.

    Raises:
        UsageError: for none of :data:`HUBS`.
    """
    token = _chosen.set(None if name is None else _checked(name, "hub"))
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen() -> str:
    """Which of :data:`HUBS` a hub id means.

    Raises:
        UsageError: if the environment names another.
    """
    return _chosen.get() or _checked(os.environ.get(VARIABLE) or HUBS[0], VARIABLE)


def _checked(name: object, where: str) -> str:
    if name not in HUBS:
        raise UsageError(f"{where} is {name!r}; expected one of: {', '.join(HUBS)}")
    return str(name)


def reachable(endpoint: str) -> bool:
    """Whether a hub answers, with anything, within :data:`_PATIENCE`; what is found is kept for :data:`_KEPT`."""
    known = _answers.get(endpoint)
    if known is None or time.monotonic() - known[0] > _KEPT:
        known = _answers[endpoint] = (time.monotonic(), _answers_in_time(endpoint))
    return known[1]


def _answers_in_time(endpoint: str) -> bool:
    from huggingface_hub.utils import get_session

    patience = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or _PATIENCE)
    answered: list[bool] = []

    def ask() -> None:
        # ValueError is an endpoint that is no URL.
        with contextlib.suppress(OSError, ValueError):
            get_session().head(endpoint, timeout=patience, allow_redirects=False)
            answered.append(True)

    # Each name lookup and each address may take the whole timeout again, so `join` limits the total.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    return bool(answered)


def cache_alone() -> bool:
    """Whether the Hugging Face hub cannot or must not be asked, so that ``local_files_only`` has to be passed.

    Without a network it saves the retries. With HF_HUB_OFFLINE, mindone asks for the list of a sharded model's files
    nevertheless, unless it is passed.
    """
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or not reachable(constants.ENDPOINT)


def fetch_file(name: str, file: str, subfolder: str | None, what: str, **options: Any) -> Path:
    """Where a file of a repository is on this machine, fetched if it was not there yet.

    Args:
        name: the repository's id.
        file: the file's name.
        subfolder: where it is in the repository.
        what: what is looked for ("LoRA"), for the message.
        options: of huggingface_hub, such as ``cache_dir`` or ``revision``.

    Raises:
        UsageError: if it cannot be had.
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
    """The folder of what was fetched of a repository before, where nothing else can be asked; else None.

    Args:
        name: the repository's id.
        what: what is looked for, for the message.
        options: as of :func:`fetch_file`.

    Raises:
        UsageError: if only the cache can be asked, and nothing of it is there.
    """
    if chosen() == "modelscope":
        from . import modelscope_hub

        return modelscope_hub.repository_here(name, what, options)
    import huggingface_hub as hf

    with hub_errors(name, what):
        if not (options.get("local_files_only") or cache_alone()):
            return None
        kept = {key: options[key] for key in ("cache_dir", "revision") if key in options}
        return Path(hf.snapshot_download(name, local_files_only=True, **kept))


def list_files(name: str, what: str, options: dict[str, Any]) -> list[str]:
    """The paths of a repository's files; arguments and errors as of :func:`repository_here`."""
    if chosen() == "modelscope":
        from . import modelscope_hub

        return modelscope_hub.list_files(name, what, options)
    import huggingface_hub as hf

    with hub_errors(name, what):
        kept = {key: options[key] for key in ("token", "revision") if key in options}
        return [sibling.rfilename for sibling in hf.model_info(name, **kept).siblings or []]


@contextlib.contextmanager
def hub_errors(name: str, what: str) -> Iterator[None]:
    """Turn what huggingface_hub raises, with a network and without, into a UsageError that says what to do."""
    import huggingface_hub.utils  # sets the level of its logger when it is imported
    from huggingface_hub import constants

    try:
        with errors_only(huggingface_hub.__name__):
            yield
    except UsageError:
        raise
    except (OSError, ValueError) as error:  # every error of huggingface_hub is one of these
        reason, mirror = first_line(error), ""
        if _answers.get(constants.ENDPOINT, (0, True))[1] is False:
            reason = f"{constants.ENDPOINT} is out of reach, and it was not fetched before"
            mirror = f"set HF_ENDPOINT to a mirror or {VARIABLE}=modelscope, or "
        raise UsageError(
            f"cannot fetch the {what} {name!r} ({reason}); there is no such folder here either: with no "
            f"network, {mirror}download it elsewhere and give its folder"
        ) from error
