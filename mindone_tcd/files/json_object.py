"""Configurations and indexes: JSON objects in files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from ..errors import UsageError, first_line

_LARGEST = 100_000_000


def read_json(path: Path) -> dict:
    """A JSON object from a file.

    Raises:
        UsageError: naming the file, if it is none, cannot be read, is larger than 100 MB, or holds no JSON object.
    """
    again = "fetch or save the model again"
    try:
        found = os.stat(path)
        # A named pipe would never answer, and a folder fails with another error on each system.
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} cannot be read as JSON (it is no file); {again}")
        if found.st_size > _LARGEST:
            raise UsageError(f"{path} has {found.st_size} bytes; expected a JSON object of at most {_LARGEST}; {again}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise UsageError(f"{path} cannot be read as JSON (it is nested too deep); {again}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} cannot be read as JSON ({first_line(error)}); {again}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} should hold a JSON object, not a {type(value).__name__}; fetch or save it again")
    return value
