"""Read JSON objects, such as configurations and weight indexes, from files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from ..errors import UsageError, first_line

_LARGEST = 100_000_000


def read_json(path: Path) -> dict:
    """Read a JSON object from a file.

    Raises:
        UsageError: if the path is not a regular file, or the file cannot be read, is larger than 100 MB, or does not
            contain a JSON object. The message names the file.
    """
    again = "fetch or save the model again"
    try:
        found = os.stat(path)
        # Reading a named pipe blocks forever, and reading a folder raises a different error on each system.
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} cannot be read as JSON (it is not a file); {again}")
        if found.st_size > _LARGEST:
            raise UsageError(f"{path} has {found.st_size} bytes; expected a JSON object of at most {_LARGEST}; {again}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise UsageError(f"{path} cannot be read as JSON (it is nested too deeply); {again}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} cannot be read as JSON ({first_line(error)}); {again}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} must contain a JSON object, not a {type(value).__name__}; fetch or save it again")
    return value
