"""Read safetensors files. The whole header is checked before any content of a file is used.

The reader does not trust the numbers in a header. The byte count of each tensor must equal its shape times its dtype
size, and the tensors must cover the data without gaps or overlaps. Otherwise, a modified header could silently give a
weight the bytes of another tensor.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UsageError, first_line, shown

if TYPE_CHECKING:
    import numpy as np

LONGEST_KEY = 1000
"""Characters. The longest keys of published models have 150. Code that splits a key takes at most this many steps."""

LARGEST_HEADER = 100_000_000
"""Bytes; the limit of the format itself."""

_MOST_AXES = 8
_LARGEST_SHAPE = 2**62
_CHUNK = 1 << 18
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
_REMEDY = "fetch or save the file again"

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_OTHERS = {f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)}
_READ = {**_FLOATS, **_OTHERS, "BOOL": "|b1"}
"""NumPy's names of the dtypes that can be read. NumPy has no bfloat16: its bits are read as integers, then widened."""

_UNREAD = {"F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8}
_BYTES = {**{name: int(spelled[2]) for name, spelled in _READ.items()}, **_UNREAD}

_EXPONENTS = {"F64": ("<u8", 0x7FF << 52), "F32": ("<u4", 0xFF << 23), "F16": ("<u2", 0x1F << 10)}
_EXPONENTS["BF16"] = ("<u2", 0xFF << 7)
"""By dtype: the unsigned integer type of the same size, and the exponent bits, all set only in NaN and infinity."""

_COUNTS = ("position_ids", "token_type_ids", "num_batches_tracked", "relative_position_index", "alpha")
"""Suffixes of the keys whose tensors may hold integers. All other tensors are weights."""


@dataclass(frozen=True)
class Entry:
    """One tensor: its dtype in the format's spelling, its shape, and its byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """The checked header of a file.

    Attributes:
        path: the file.
        tensors: the entries by name, in the order of their data in the file.
        metadata: the metadata strings by name.
    """

    path: Path
    tensors: dict[str, Entry]
    metadata: dict[str, str]


def read_header(path: str | Path) -> Header:
    """Read and check a file's header, without reading the tensor data.

    Raises:
        UsageError: if the file cannot be opened, has no valid header, or if the header contradicts itself or the
            file's length.
    """
    path = Path(path)
    try:
        # Reading a named pipe blocks forever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{path} is not a file; expected safetensors: {_REMEDY}")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > size - 8:
                raise UsageError(f"{path} is truncated: it has {size} bytes, less than its header; {_REMEDY}")
            if length > LARGEST_HEADER:
                _refuse(path, f"its header has {length} bytes, but the format allows {LARGEST_HEADER}")
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
            fault = "overlaps" if entry.begin < end else "leaves a gap after"
            _refuse(path, f"{shown(key)} {fault} {'the header' if before is None else shown(before)}")
        end, before = entry.end, key
    if size != end:
        raise UsageError(f"{path} is damaged: it has {size} bytes, but its header requires {end}; {_REMEDY}")
    return Header(path, entries, metadata)


def check_floats(header: Header) -> None:
    """Check that each tensor of a model or adapter has a dtype that a weight can have.

    Raises:
        UsageError: at the first tensor of another dtype, unless it is an integer buffer such as ``position_ids``.
    """
    for key, entry in header.tensors.items():
        if entry.dtype not in _FLOATS and not (entry.dtype in _READ and key.rpartition(".")[2].endswith(_COUNTS)):
            _refuse_dtype(header.path, key, entry)


def read_tensors(header: Header, names: Collection[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """Read the tensors of a file one after the other, in the order of their data.

    Args:
        header: the result of :func:`read_header`.
        names: which tensors; None for all.

    Yields:
        the name and values of each tensor; bfloat16 is widened to float32.

    Raises:
        UsageError: if NumPy lacks the dtype of a tensor (8-bit floats), if a tensor holds a NaN or an infinity, or if
            the file was truncated in the meantime.
    """
    import numpy as np

    path = header.path
    try:
        with path.open("rb") as stream:
            for key, entry in header.tensors.items():
                if names is not None and key not in names:
                    continue
                if entry.dtype not in _READ:
                    _refuse_dtype(path, key, entry)
                dtype = np.dtype(_READ[entry.dtype])
                count = (entry.end - entry.begin) // dtype.itemsize
                stream.seek(entry.begin)
                values = np.fromfile(stream, dtype, count)
                if values.size != count:
                    _refuse(path, f"{shown(key)} was truncated during the read")
                if entry.dtype in _EXPONENTS:
                    _check_finite(values, entry.dtype, f"{path}: {shown(key)}")
                if entry.dtype == "BF16":
                    values = (values.astype(np.uint32) << 16).view(np.float32)
                yield key, values.reshape(entry.shape)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or first_line(error)}); {_REMEDY}") from error


def check_finite(values: np.ndarray, where: str) -> None:
    """Check that an array has only finite values.

    Args:
        values: an array of any dtype; only float dtypes are checked.
        where: the array's origin, for the error message.

    Raises:
        UsageError: if the array holds a NaN or an infinity.
    """
    import numpy as np

    name = f"F{8 * values.dtype.itemsize}" if values.dtype.kind == "f" else ""
    if name in _EXPONENTS:
        _check_finite(np.ascontiguousarray(values).reshape(-1), name, where)


def _check_finite(values: np.ndarray, dtype: str, where: str) -> None:
    integers, exponent = _EXPONENTS[dtype]
    bits = values.view(integers)
    exponent = bits.dtype.type(exponent)
    # Chunks of this size stay in the processor's cache.
    for first in range(0, bits.size, _CHUNK):
        piece = bits[first : first + _CHUNK] & exponent
        if piece.max() == exponent:
            raise UsageError(f"{where} holds a NaN or an infinity; expected finite numbers: {_REMEDY}")


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    fault = f"{path} is not a safetensors file: its header"
    if not raw.startswith(b"{"):  # json.loads() also accepts UTF-16, and text after a byte order mark
        raise UsageError(f"{fault} cannot be read: it begins with {raw[:4]!r}, not with '{{'; {_REMEDY}")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError as error:
        raise UsageError(f"{fault} is nested too deeply; {_REMEDY}") from error
    except ValueError as error:
        raise UsageError(f"{fault} cannot be read ({first_line(error)}); {_REMEDY}") from error
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"it has the key {shown(twice)} twice")
    return fields


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}")


def _metadata(path: Path, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        _refuse(path, f"its {_METADATA} should map strings to strings")
    return metadata


def _entry(path: Path, key: str, value: Any, start: int) -> Entry:
    if len(key) > LONGEST_KEY:
        _refuse(path, f"the key {shown(key)} has {len(key)} characters, but model keys have fewer than 1000")
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        _refuse(path, f"{shown(key)} should have only a dtype, a shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        _refuse(path, f"{shown(key)} has the unknown dtype {shown(dtype)}")
    if not _naturals(shape) or len(shape) > _MOST_AXES:
        _refuse(path, f"the shape of {shown(key)} should be at most {_MOST_AXES} integers from 0, not {shown(shape)}")
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"the data_offsets of {shown(key)} should be its first byte and its end, not {shown(offsets)}")
    if math.prod(max(axis, 1) for axis in shape) > _LARGEST_SHAPE:
        _refuse(path, f"the shape of {shown(key)}, {shown(shape)}, is too large for any memory")
    begin, end = offsets
    if math.prod(shape) * _BYTES[dtype] != end - begin:
        _refuse(path, f"{shown(key)} of dtype {dtype} and shape {shown(shape)} does not match its {end - begin} bytes")
    return Entry(dtype, tuple(shape), start + begin, start + end)


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _refuse(path: Path, fault: str) -> NoReturn:
    raise UsageError(f"{path} is damaged: {fault}; {_REMEDY}")


def _refuse_dtype(path: Path, key: str, entry: Entry) -> NoReturn:
    raise UsageError(
        f"{path}: {shown(key)} has the dtype {entry.dtype}; expected float32, float16 or bfloat16: "
        "save the file again in one of these dtypes"
    )
