"""The one reader of safetensors files: nothing of a file is used before its whole header has proved consistent.

The reader trusts no number of a header. Every tensor's bytes must be its shape times its dtype, and the tensors must
cover the data without a hole or an overlap.
So a header that was changed hands no other bytes to a weight in silence.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UsageError, first_line

if TYPE_CHECKING:
    import numpy as np

LONGEST_KEY = 1000
"""Characters. The longest keys of published models have 150; what takes a key apart may take this many steps."""

LARGEST_HEADER = 100_000_000
"""Bytes, as the format itself has it."""

_MOST_AXES = 8
_LARGEST_SHAPE = 2**62
_CHUNK = 1 << 18
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
_REMEDY = "fetch or save the file again"

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_OTHERS = {f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)}
_READ = {**_FLOATS, **_OTHERS, "BOOL": "|b1"}
"""The dtypes that are read, as NumPy spells them; it has no bfloat16, whose bits are read as integers and widened."""

_UNREAD = {"F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8}
_BYTES = {**{name: int(spelled[2]) for name, spelled in _READ.items()}, **_UNREAD}

_EXPONENTS = {"F64": ("<u8", 0x7FF << 52), "F32": ("<u4", 0xFF << 23), "F16": ("<u2", 0x1F << 10)}
_EXPONENTS["BF16"] = ("<u2", 0xFF << 7)
"""By dtype, the unsigned integers of its width, and the bits that are all set in NaN and infinity, and only there."""

_COUNTS = ("position_ids", "token_type_ids", "num_batches_tracked", "relative_position_index", "alpha")
"""How the keys end whose tensors may hold integers; all others are weights."""


@dataclass(frozen=True)
class Entry:
    """One tensor: its dtype in the format's spelling, its shape, and where its bytes lie in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself, checked.

    Attributes:
        path: the file.
        tensors: by name, in the order in which they lie in the file.
        metadata: texts by name.
    """

    path: Path
    tensors: dict[str, Entry]
    metadata: dict[str, str]


def shown(text: Any) -> str:
    """A key or value of a file for a message: in one line, and cut where it is long."""
    if isinstance(text, str) and len(text) > 80:
        text = text[:77] + "…"
    spelled = repr(text)
    return spelled if len(spelled) <= 400 else spelled[:397] + "…"


def read_header(path: str | Path) -> Header:
    """Read and check a file's header; the data are not read.

    Raises:
        UsageError: if the file cannot be opened, or its header is none, or contradicts itself or the file's length.
    """
    path = Path(path)
    try:
        # A named pipe would never answer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{path} is no file; expected safetensors: {_REMEDY}")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > size - 8:
                raise UsageError(f"{path} is truncated: {size} bytes, less than its header; {_REMEDY}")
            if length > LARGEST_HEADER:
                _refuse(path, f"its header has {length} bytes, and the format allows {LARGEST_HEADER}")
            raw = stream.read(length)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or first_line(error)}); {_REMEDY}") from error
    found = _parse(path, raw)
    metadata = _metadata(path, found.pop(_METADATA, {}))
    start = 8 + length
    entries = {key: _entry(path, key, value, start) for key, value in found.items()}
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)))
    end, before = start, None
    for key, entry in entries.items():
        if entry.begin != end:
            fault = "overlaps" if entry.begin < end else "leaves a hole after"
            _refuse(path, f"{shown(key)} {fault} {'the header' if before is None else shown(before)}")
        end, before = entry.end, key
    if size != end:
        raise UsageError(f"{path} is damaged: {size} bytes, but its header speaks of {end}; {_REMEDY}")
    return Header(path, entries, metadata)


def check_floats(header: Header) -> None:
    """Make sure that the tensors of a model or adapter are of a dtype that a weight can have.

    Raises:
        UsageError: at the first of another dtype that is no count of something, such as ``position_ids``.
    """
    for key, entry in header.tensors.items():
        if entry.dtype not in _FLOATS and not (entry.dtype in _READ and key.rpartition(".")[2].endswith(_COUNTS)):
            _refuse_dtype(header.path, key, entry)


def read_tensors(header: Header) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors of a file, read one after the other, in the order in which they lie there.

    Args:
        header: as :func:`read_header` gives it.

    Yields:
        each tensor's name and values; bfloat16 is widened to float32.

    Raises:
        UsageError: at a tensor of a dtype that NumPy lacks (8-bit floats), that holds a NaN or an infinity, or that
            is no longer whole.
    """
    import numpy as np

    path = header.path
    try:
        with path.open("rb") as stream:
            for key, entry in header.tensors.items():
                if entry.dtype not in _READ:
                    _refuse_dtype(path, key, entry)
                dtype = np.dtype(_READ[entry.dtype])
                count = (entry.end - entry.begin) // dtype.itemsize
                stream.seek(entry.begin)
                values = np.fromfile(stream, dtype, count)
                if values.size != count:
                    _refuse(path, f"{shown(key)} was cut while it was read")
                if entry.dtype in _EXPONENTS:
                    _check_finite(values, entry.dtype, f"{path}: {shown(key)}")
                if entry.dtype == "BF16":
                    values = (values.astype(np.uint32) << 16).view(np.float32)
                yield key, values.reshape(entry.shape)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or first_line(error)}); {_REMEDY}") from error


def check_finite(values: np.ndarray, where: str) -> None:
    """Make sure that an array holds numbers only.

    Args:
        values: of any dtype; only floats are looked at.
        where: what the array is, for the message.

    Raises:
        UsageError: if it holds a NaN or an infinity.
    """
    import numpy as np

    name = f"F{8 * values.dtype.itemsize}" if values.dtype.kind == "f" else ""
    if name in _EXPONENTS:
        _check_finite(np.ascontiguousarray(values).reshape(-1), name, where)


def _check_finite(values: np.ndarray, dtype: str, where: str) -> None:
    integers, exponent = _EXPONENTS[dtype]
    bits = values.view(integers)
    exponent = bits.dtype.type(exponent)
    # In pieces that stay in the processor's cache.
    for first in range(0, bits.size, _CHUNK):
        piece = bits[first : first + _CHUNK] & exponent
        if piece.max() == exponent:
            raise UsageError(f"{where} holds a NaN or an infinity; expected finite numbers: {_REMEDY}")


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    fault = f"{path} is no safetensors file: its header"
    if not raw.startswith(b"{"):  # json.loads() would take UTF-16, and text after a byte order mark
        raise UsageError(f"{fault} cannot be read: it begins with {raw[:4]!r}, not with '{{'; {_REMEDY}")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError as error:
        raise UsageError(f"{fault} is nested too deep; {_REMEDY}") from error
    except ValueError as error:
        raise UsageError(f"{fault} cannot be read ({first_line(error)}); {_REMEDY}") from error
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"it names {shown(twice)} twice")
    return made


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}")


def _metadata(path: Path, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        _refuse(path, f"its {_METADATA} should be texts by name")
    return metadata


def _entry(path: Path, key: str, value: Any, start: int) -> Entry:
    if len(key) > LONGEST_KEY:
        _refuse(path, f"the key {shown(key)} has {len(key)} characters, and the longest of a model has fewer than 1000")
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        _refuse(path, f"{shown(key)} should have a dtype, a shape and data_offsets alone")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        _refuse(path, f"{shown(key)} is of an unknown dtype, {shown(dtype)}")
    if not _naturals(shape) or len(shape) > _MOST_AXES:
        _refuse(path, f"the shape of {shown(key)} should be at most {_MOST_AXES} whole numbers, not {shown(shape)}")
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"the data_offsets of {shown(key)} should be its first byte and its end, not {shown(offsets)}")
    if math.prod(max(axis, 1) for axis in shape) > _LARGEST_SHAPE:
        _refuse(path, f"the shape of {shown(key)}, {shown(shape)}, is larger than any memory")
    begin, end = offsets
    if math.prod(shape) * _BYTES[dtype] != end - begin:
        _refuse(path, f"{shown(key)} of dtype {dtype} and shape {shown(shape)} does not fill its {end - begin} bytes")
    return Entry(dtype, tuple(shape), start + begin, start + end)


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _refuse(path: Path, fault: str) -> NoReturn:
    raise UsageError(f"{path} is damaged: {fault}; {_REMEDY}")


def _refuse_dtype(path: Path, key: str, entry: Entry) -> NoReturn:
    raise UsageError(
        f"{path}: {shown(key)} is of dtype {entry.dtype}; expected float32, float16 or bfloat16: "
        "save the file again in one of them"
    )
