"""One file of a hub repository, from the cache or the network."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import UsageError, first_line
from .quiet import errors_only

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
"""owner/name"""


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
    import huggingface_hub

    with hub_errors(name, what):
        return Path(huggingface_hub.hf_hub_download(name, file, subfolder=subfolder, **options))


@contextlib.contextmanager
def hub_errors(name: str, what: str) -> Iterator[None]:
    """Turn what huggingface_hub raises, with a network and without, into a UsageError that says what to do."""
    import huggingface_hub.utils  # sets the level of its logger when it is imported

    try:
        with errors_only(huggingface_hub.__name__):
            yield
    except UsageError:
        raise
    except (OSError, ValueError) as error:  # every error of huggingface_hub is one of these
        raise UsageError(
            f"cannot fetch the {what} {name!r} ({first_line(error)}); there is no such folder here either: with no "
            "network, download it elsewhere and give its folder"
        ) from error
