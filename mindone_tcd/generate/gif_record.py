"""Read the record in a GIF file from an untrusted source. Every size is checked against a limit before it is used.

The reader walks only the blocks of the file and decodes no pixels. A record is a comment that begins with ``PREFIX``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..errors import UsageError
from .record_fields import check_record
from .record_text import KEY, MOST_TEXT, opened, parse

PREFIX = f"{KEY}: ".encode()
"""The beginning of the comment that holds the record. The JSON text follows."""

SIGNATURES = (b"GIF87a", b"GIF89a")

_MOST_BLOCKS = 1 << 16
_MOST_SUB_BLOCKS = 1 << 20
"""Maximum number of sub-blocks in a file. Each has at most 255 bytes."""
_MOST_COMMENTS = 64

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_COMMENT = 0xFE
_REMEDY = "pass a GIF that mindone-tcd wrote"


def read_gif_record(path: str | Path) -> dict[str, Any]:
    """Read the record in a GIF file.

    Args:
        path: the file.

    Returns:
        The record. The types and ranges of the fields that this version knows are checked.

    Raises:
        UsageError: if the file is missing, not a GIF or damaged, or has no record or several, or its record is too
            large, not JSON, or has invalid values.
    """
    path = Path(path)
    with opened(path, _REMEDY) as stream:
        found = None
        for text in _Reader(path, stream).records():
            if found is not None:
                raise UsageError(f"{path} has several records; expected one: {_REMEDY}")
            found = text
    if found is None:
        raise UsageError(
            f"{path} has no record of how it was generated: only GIFs that mindone-tcd wrote have one, and a program "
            "that saves the file again may remove it"
        )
    return check_record(parse(found, path, _REMEDY), f"the record in {path}")


class _Reader:
    """Walks the blocks of a GIF file once."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream = path, stream
        self._sub_blocks = 0

    def records(self) -> Iterator[bytes]:
        """Yield the text of each record, up to the end that the file states."""
        self._header()
        comments = 0
        for _ in range(_MOST_BLOCKS):
            (kind,) = self._read(1)
            if kind == _END:
                return
            if kind == _IMAGE:
                self._skip_color_table(self._read(9)[8])
                self._read(1)  # the size of the codes of the pixels
                self._skip_sub_blocks()
            elif kind == _EXTENSION:
                if self._read(1)[0] != _COMMENT:
                    self._skip_sub_blocks()
                    continue
                comments += 1
                if comments > _MOST_COMMENTS:
                    self._refuse(f"it has more than {_MOST_COMMENTS} comments")
                text = self._record()
                if text is not None:
                    yield text
            else:
                self._refuse(f"a block has the unknown kind {kind}")
        self._refuse(f"it has more than {_MOST_BLOCKS} blocks")

    def _header(self) -> None:
        start = self._stream.read(13)
        if start[:6] not in SIGNATURES:
            self._refuse("it is not a GIF file")
        if len(start) < 13:
            self._refuse("it is truncated")
        width, height, flags = struct.unpack("<HHB", start[6:11])
        if not width or not height:
            self._refuse(f"it states {width}x{height} pixels")
        self._skip_color_table(flags)

    def _skip_color_table(self, flags: int) -> None:
        if flags & 0x80:
            self._read(3 << (flags & 7) + 1)

    def _record(self) -> bytes | None:
        """Return the text of a record from the sub-blocks of a comment; None for another comment."""
        comment, ours = bytearray(), True
        for part in self._parts():
            if ours:
                comment += part
                ours = comment.startswith(PREFIX[: len(comment)])
            if len(comment) > MOST_TEXT + len(PREFIX):
                self._refuse(f"it has a record of more than {MOST_TEXT} bytes")
        return bytes(comment[len(PREFIX) :]) if ours and len(comment) >= len(PREFIX) else None

    def _skip_sub_blocks(self) -> None:
        for _ in self._parts():
            pass

    def _parts(self) -> Iterator[bytes]:
        """Yield the contents of sub-blocks up to the empty one."""
        (length,) = self._read(1)
        while length:
            self._sub_blocks += 1
            if self._sub_blocks > _MOST_SUB_BLOCKS:
                self._refuse(f"it has more than {_MOST_SUB_BLOCKS} sub-blocks")
            content = self._read(length + 1)
            yield content[:-1]
            length = content[-1]

    def _read(self, count: int) -> bytes:
        content = self._stream.read(count)
        if len(content) < count:
            self._refuse("it is truncated")
        return content

    def _refuse(self, why: str) -> NoReturn:
        raise UsageError(f"{self._path} cannot be read as an image ({why}); {_REMEDY}")
