"""The folder in which this package caches files between processes.

It is ``$MINDONE_TCD_CACHE``, or ``mindone-tcd`` in ``$XDG_CACHE_HOME`` (``~/.cache``). ``MINDONE_TCD_CACHE=off``
disables the cache.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the cache folder, which may not exist yet; None if the cache is disabled."""
    chosen = os.environ.get("MINDONE_TCD_CACHE")
    if chosen is not None:
        return None if chosen.lower() in ("", "0", "off") else Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mindone-tcd"
