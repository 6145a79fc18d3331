"""Read the record in a PNG file from an untrusted source. Every size is checked against a limit before it is used.

The reader walks only the chunks of the file and decodes no pixels. The limits also apply to text chunks of other
programs.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..errors import UsageError
from .record_fields import check_record
from .record_text import KEY, MOST_TEXT, opened, parse

_MOST_DECOMPRESSED = 1 << 20
"""Maximum bytes of a decompressed text. This package does not write compressed texts."""

MOST_SIDE = 1 << 17
"""Maximum pixels per side of a file to read: a row of 16 images of the largest size."""

_MOST_CHUNKS = 1 << 16
_MOST_TEXT_CHUNKS = 64
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_REMEDY = "pass a PNG that mindone-tcd wrote"


def read_record(path: str | Path) -> dict[str, Any]:
    """Read the record in a PNG file.

    Args:
        path: the file.

    Returns:
        The record. The types and ranges of the fields that this version knows are checked.

    Raises:
        UsageError: if the file is missing, not a PNG or damaged, or has no record or several, or its record is too
            large, not JSON, or has invalid values.
    """
    path = Path(path)
    with opened(path, _REMEDY) as stream:
        found = None
        for keyword, text in _texts(path, stream):
            if keyword == KEY.encode():
                if found is not None:
                    raise UsageError(f"{path} has several records; expected one: {_REMEDY}")
                found = text
    if found is None:
        raise UsageError(
            f"{path} has no record of how it was generated: only PNGs that mindone-tcd wrote have one, and a program "
            "that saves the file again may remove it"
        )
    return check_record(parse(found, path, _REMEDY), f"the record in {path}")


def png_size(path: Path) -> tuple[int, int]:
    """Return the width and height in pixels that a PNG file states.

    Raises:
        UsageError: if the file is not a PNG, or states an invalid size.
    """
    with opened(path, _REMEDY) as stream:
        return _header(path, stream)


def _refuse(path: Path, why: str) -> NoReturn:
    raise UsageError(f"{path} cannot be read as an image ({why}); {_REMEDY}")


def _header(path: Path, stream: BinaryIO) -> tuple[int, int]:
    start = stream.read(33)
    if start[:8] != SIGNATURE:
        _refuse(path, "it is not a PNG file")
    if len(start) < 33 or start[8:16] != struct.pack(">I4s", 13, b"IHDR") or _crc_is_wrong(start[12:]):
        _refuse(path, "its header is damaged")
    width, height = struct.unpack(">II", start[16:24])
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        _refuse(path, f"it states {width}x{height} pixels; at most {MOST_SIDE} per side are possible")
    return width, height


def _crc_is_wrong(chunk: bytes) -> bool:
    """Return whether a chunk, from its type to its checksum, is damaged."""
    return zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:], "big")


def _texts(path: Path, stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keywords and contents of the text chunks. The reader walks the whole file, but reads no other chunk."""
    _header(path, stream)
    size, count = os.fstat(stream.fileno()).st_size, 0
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            _refuse(path, "it is truncated")
        length, kind = struct.unpack(">I4s", head)
        if stream.tell() + length + 4 > size:
            _refuse(path, "it is truncated")
        if kind == b"IEND":
            return
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            stream.seek(length + 4, os.SEEK_CUR)
            continue
        count += 1
        if count > _MOST_TEXT_CHUNKS:
            _refuse(path, f"it has more than {_MOST_TEXT_CHUNKS} text chunks")
        if length > MOST_TEXT + 1024:
            _refuse(path, f"it has a text of {length} bytes; at most {MOST_TEXT} are possible")
        content = stream.read(length + 4)
        if _crc_is_wrong(kind + content):
            _refuse(path, "a text chunk is damaged")
        keyword, _, rest = content[:-4].partition(b"\0")
        yield keyword, _inflated(path, kind, rest)
    _refuse(path, f"it has more than {_MOST_CHUNKS} chunks")


def _inflated(path: Path, kind: bytes, rest: bytes) -> bytes:
    """Return the content of a text chunk from the bytes after its keyword. Decompression is limited."""
    if kind == b"tEXt":
        return rest
    compressed = True
    if kind == b"iTXt":  # flag, method, language, translated keyword
        compressed, fields = rest[:1] != b"\0", rest[2:].split(b"\0", 2)
        if len(fields) < 3:
            _refuse(path, "a text chunk is truncated")
        rest = b"\0" + fields[2]
    if not compressed:
        return rest[1:]
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(rest[1:], _MOST_DECOMPRESSED + 1)
    except zlib.error as error:
        _refuse(path, f"a text chunk cannot be decompressed: {error}")
    if len(text) > _MOST_DECOMPRESSED:
        _refuse(path, f"a compressed text has more than {_MOST_DECOMPRESSED} bytes")
    return text
