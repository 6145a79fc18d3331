"""Read the record in a file of any format that stores one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError
from . import gif_record, png_record
from .record_text import opened

_REMEDY = "pass a PNG or GIF that mindone-tcd wrote"


def read_any_record(path: str | Path) -> dict[str, Any]:
    """Read the record in a PNG or GIF file. The first bytes of the file, not its name, decide on the format.

    Raises:
        UsageError: if the file has another format, or as :func:`~mindone_tcd.generate.png_record.read_record` and
            :func:`~mindone_tcd.generate.gif_record.read_gif_record`.
    """
    path = Path(path)
    with opened(path, _REMEDY) as stream:
        start = stream.read(12)
    if start[:8] == png_record.SIGNATURE:
        return png_record.read_record(path)
    if start[:6] in gif_record.SIGNATURES:
        return gif_record.read_gif_record(path)
    if start[4:8] == b"ftyp":
        raise UsageError(f"{path} is an MP4 file, which contains no record; {_REMEDY}")
    raise UsageError(f"{path} is neither a PNG nor a GIF file; {_REMEDY}")
