"""Folders that last as long as the process that made them."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def folder(prefix: str) -> Path:
    """Make a folder whose name begins with `prefix`, and remove it when this process ends.

    A forked child that ends leaves it to its parent.
    """
    made = tempfile.mkdtemp(prefix=prefix)
    atexit.register(_remove, made, os.getpid())
    return Path(made)


def _remove(made: str, maker: int) -> None:
    if os.getpid() == maker:
        shutil.rmtree(made, ignore_errors=True)
