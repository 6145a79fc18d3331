"""Damaged copies of adapter files: an endless, seeded stream of invalid safetensors files.

The module needs only NumPy. A mutation knows the tensors of the file, but not their purpose.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_CODES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "uint8": "U8"}
_SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_SIZES |= {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}


@dataclass
class Entry:
    """One tensor of the header. A later entry with the same key is a duplicate."""

    key: str
    dtype: Any
    shape: Any
    begin: Any
    end: Any


@dataclass
class File:
    """The parts of a safetensors file.

    Attributes:
        entries: the tensors of the header.
        data: the bytes after the header.
        metadata: the value of ``__metadata__``; ``...`` for none.
    """

    entries: list[Entry]
    data: bytearray
    metadata: Any = ...

    def header(self) -> bytes:
        """The header as JSON, written key by key so that a key can occur twice."""
        parts = [] if self.metadata is ... else [f'"__metadata__":{json.dumps(self.metadata)}']
        for entry in self.entries:
            value = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [entry.begin, entry.end]}
            parts.append(f"{json.dumps(entry.key)}:{json.dumps(value)}")
        return ("{" + ",".join(parts) + "}").encode()

    def encode(self) -> bytes:
        header = self.header()
        header += b" " * (-len(header) % 8)
        return struct.pack("<Q", len(header)) + header + bytes(self.data)


def file_of(tensors: Mapping[str, np.ndarray], metadata: Any = ...) -> File:
    """A valid file.

    Args:
        tensors: float, int64, int32 or uint8 arrays by key.
        metadata: the value of ``__metadata__``; ``...`` for none.
    """
    entries, data = [], bytearray()
    for key, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        shape = list(np.shape(value))
        entries.append(Entry(key, _CODES[str(value.dtype)], shape, len(data), len(data) + len(raw)))
        data += raw
    return File(entries, data, metadata)


def mutations(
    rng: np.random.Generator, tensors: Mapping[str, np.ndarray], metadata: Any = ...
) -> Iterator[tuple[str, bytes]]:
    """Endless damaged copies of a file. Equal generators give equal copies.

    Every kind of damage occurs once before any occurs again. One copy in five has two kinds.

    Args:
        rng: selects the kinds and positions.
        tensors: the tensors of the valid file.
        metadata: the metadata of the valid file.

    Yields:
        A description of the damage, and the bytes of the file.
    """
    kinds = [*_IN_PARTS, *_IN_BYTES]
    while True:
        for kind in rng.permutation(len(kinds)):
            file = file_of(tensors, metadata)
            done = []
            if rng.random() < 0.2:
                first = _BEFORE_OTHERS[rng.integers(len(_BEFORE_OTHERS))]
                done.append(_named(first, first(rng, file)))
            change = kinds[kind]
            if change in _IN_PARTS:
                done.append(_named(change, change(rng, file)))
                yield ", ".join(done), file.encode()
            else:
                content = change(rng, file.encode())
                yield ", ".join([*done, _named(change, None)]), content


def _named(change: Callable, detail: str | None) -> str:
    name = change.__name__.strip("_").replace("_", " ")
    return f"{name} ({detail})" if detail else name


def _pick(rng: np.random.Generator, file: File) -> Entry:
    return file.entries[rng.integers(len(file.entries))] if file.entries else Entry("", "F32", [0], 0, 0)


# ----- changes of the parts ------------------------------------------------------------------------------------------


def _dtype_of_the_same_size(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    size = _SIZES.get(entry.dtype, 4)
    others = [code for code, other in _SIZES.items() if other == size and code != entry.dtype]
    entry.dtype = others[rng.integers(len(others))]
    return f"{entry.key} {entry.dtype}"


def _every_dtype_of_the_same_size(rng: np.random.Generator, file: File) -> str:
    for entry in file.entries:
        entry.dtype = {4: "I32", 2: "I16", 8: "I64"}.get(_SIZES.get(entry.dtype), "I8")
    return ""


def _dtype_of_another_size(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    others = [code for code, size in _SIZES.items() if size != _SIZES.get(entry.dtype)]
    entry.dtype = others[rng.integers(len(others))]
    return f"{entry.key} {entry.dtype}"


def _no_dtype(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    entry.dtype = ["F31", "", None, 7, ["F32"], {"F32": 1}, "f32", "__class__"][rng.integers(8)]
    return f"{entry.key} {entry.dtype!r}"


def _values_of_integers(rng: np.random.Generator, file: File) -> str:
    """The values also have the dtype that the header names."""
    entry = _pick(rng, file)
    if entry.dtype != "F32":
        return "none"
    values = np.frombuffer(bytes(file.data[entry.begin : entry.end]), np.float32)
    numbers = np.nan_to_num(values, posinf=0, neginf=0).clip(-1000, 1000) * 100
    file.data[entry.begin : entry.end] = numbers.astype(np.int32).tobytes()
    entry.dtype = "I32"
    return entry.key


def _another_shape_of_as_many(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    size = int(np.prod(entry.shape))
    shapes = [[size], [1, *entry.shape], [*entry.shape, 1], entry.shape[::-1], [1] * 40 + entry.shape, [size, 1, 1, 1]]
    entry.shape = shapes[rng.integers(len(shapes))]
    return f"{entry.key} {entry.shape}"[:200]


def _rows_cut_off(rng: np.random.Generator, file: File) -> str:
    """Fewer rows, and only their bytes."""
    entry = _pick(rng, file)
    if not entry.shape or entry.shape[0] < 2:
        return "none"
    left = int(rng.integers(entry.shape[0]))
    entry.end = entry.begin + (entry.end - entry.begin) // entry.shape[0] * left
    entry.shape = [left, *entry.shape[1:]]
    return f"{entry.key} {entry.shape}"


def _shape_without_its_bytes(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    entry.shape = [[3, 5], [0], [], [-1], [2**62, 4], [2**40], [1.5], ["4"], [True], None, {}, "32", [[4]]][
        rng.integers(13)
    ]
    return f"{entry.key} {entry.shape}"


def _key_dropped(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    file.entries = [other for other in file.entries if other is not entry]
    return entry.key


def _half_of_the_keys_dropped(rng: np.random.Generator, file: File) -> str:
    file.entries = [entry for entry in file.entries if rng.random() < 0.5]
    return str(len(file.entries))


def _all_keys_dropped(rng: np.random.Generator, file: File) -> str:
    file.entries.clear()
    return ""


def _key_twice(rng: np.random.Generator, file: File) -> str:
    entry, other = _pick(rng, file), _pick(rng, file)
    file.entries.append(Entry(entry.key, other.dtype, other.shape, other.begin, other.end))
    return entry.key


def _key_renamed(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    entry.key = [
        entry.key + ".weight",
        "x." + entry.key,
        entry.key.replace(".weight", ".bias"),
        entry.key.replace("down", "up").replace("lora_A", "lora_B"),
        entry.key.replace("unet", "text_encoder_2"),
        entry.key.replace("0", "7"),
        entry.key.upper(),
        entry.key.rpartition(".")[0] + ".dora_scale",
        "",
        ".",
        "__metadata__",
        "../../../etc/passwd",
    ][rng.integers(12)]
    return entry.key


def _keys_exchanged(rng: np.random.Generator, file: File) -> str:
    entry, other = _pick(rng, file), _pick(rng, file)
    entry.key, other.key = other.key, entry.key
    return f"{entry.key}, {other.key}"


def _odd_characters_in_a_key(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    odd = ["\n", "\0", "\ud800", "\u202e", "é", "'\"", "\\", "%s{0}", "(a+)+$"][rng.integers(9)]
    place = int(rng.integers(len(entry.key) + 1))
    entry.key = entry.key[:place] + odd + entry.key[place:]
    return ascii(odd)


def _very_long_key(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    piece = ["x", "a.", "lora_A.", entry.key or "y"][rng.integers(4)]
    entry.key += piece * (100_000 // len(piece))
    return piece


def _many_keys(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    copies = [Entry(f"{entry.key}.{k}", entry.dtype, entry.shape, entry.begin, entry.end) for k in range(2000)]
    file.entries += copies
    return entry.key


def _offsets_shifted(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    by = int([1, -1, 4, -4, 1 << 20, -(1 << 20), 1 << 63][rng.integers(7)])
    entry.begin += by
    entry.end += by
    return f"{entry.key} {by}"


def _offsets_of_no_place(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    entry.begin, entry.end = [
        (entry.end, entry.begin), (None, None), ("0", "4"), (0.0, 4.0), (entry.begin, entry.begin), ([0], {}), (0, -1)
    ][rng.integers(7)]  # fmt: skip
    return f"{entry.key} {entry.begin!r} {entry.end!r}"


def _overlapping(rng: np.random.Generator, file: File) -> str:
    entry, other = _pick(rng, file), _pick(rng, file)
    entry.dtype, entry.shape, entry.begin, entry.end = other.dtype, other.shape, other.begin, other.end
    return f"{entry.key}, {other.key}"


def _gap_in_the_data(rng: np.random.Generator, file: File) -> str:
    for entry in file.entries:
        entry.begin += 8
        entry.end += 8
    file.data[:0] = bytes(8)
    return ""


def _odd_values(rng: np.random.Generator, file: File) -> str:
    entry = _pick(rng, file)
    if entry.dtype != "F32":
        return "none"
    value = [np.nan, np.inf, -np.inf, 0.0, 3.4e38, 1e-45][rng.integers(6)]
    count = (entry.end - entry.begin) // 4
    file.data[entry.begin : entry.begin + 4 * count] = np.full(count, value, np.float32).tobytes()
    return f"{entry.key} {value}"


def _every_value_odd(rng: np.random.Generator, file: File) -> str:
    value = [np.nan, np.inf, 3.4e38][rng.integers(3)]
    file.data[:] = np.full(len(file.data) // 4, value, np.float32).tobytes() + bytes(len(file.data) % 4)
    return str(value)


def _odd_metadata(rng: np.random.Generator, file: File) -> str:
    choices: list[Any] = [[], "text", None, 3, True, {"a": 1}, {"a": None}, {"a": {}}, {"": ""}, [["format", "pt"]]]
    file.metadata = choices[rng.integers(len(choices))]
    return repr(file.metadata)


def _odd_configuration(rng: np.random.Generator, file: File) -> str:
    """In the field in which diffusers stores the configuration of the LoRA."""
    deep = "[" * 100_000
    configurations = [
        "", "null", "[]", "7", "{", deep, '{"unet.lora_alpha": "x"}', '{"unet.lora_alpha": 1e999}',
        '{"unet.lora_alpha": [1]}', '{"unet.lora_alpha": NaN}', '{"unet.lora_alpha": 0}', '{"unet.lora_alpha": -1}',
        '{"unet.lora_alpha": 1' + "0" * 400 + "}", '{"unet.alpha_pattern": {"(": 1}, "unet.lora_alpha": 1}',
        '{"unet.alpha_pattern": 3, "unet.lora_alpha": 1}', '{"unet.alpha_pattern": {"to_q": {}}}',
        '{"unet.alpha_pattern": {"to_q": Infinity}, "unet.lora_alpha": 1}', '{"unet": 3}', '{"lora_alpha": "2"}',
        '{"unet.alpha_pattern": {"(((((a)))))*+": 1}, "unet.lora_alpha": 1}', '{"unet.use_rslora": "x", "": 1, ".": 2}',
    ]  # fmt: skip
    chosen = configurations[rng.integers(len(configurations))]
    file.metadata = {"format": "pt", "lora_adapter_metadata": chosen}
    return chosen[:60]


_IN_PARTS = (
    *(_dtype_of_the_same_size, _every_dtype_of_the_same_size, _dtype_of_another_size, _no_dtype, _values_of_integers),
    *(_another_shape_of_as_many, _rows_cut_off, _shape_without_its_bytes),
    *(_key_dropped, _half_of_the_keys_dropped, _all_keys_dropped, _key_twice, _key_renamed, _keys_exchanged),
    *(_odd_characters_in_a_key, _very_long_key, _many_keys),
    *(_offsets_shifted, _offsets_of_no_place, _overlapping, _gap_in_the_data),
    *(_odd_values, _every_value_odd, _odd_metadata, _odd_configuration),
)
_BEFORE_OTHERS = (_key_dropped, _key_renamed, _keys_exchanged, _odd_values, _odd_metadata, _odd_configuration)
"""Changes after which shapes and offsets are still valid for other changes."""


# ----- changes of the bytes ------------------------------------------------------------------------------------------


def _with_header(content: bytes, header: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _cut_off(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _cut_off_in_the_header(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: int(rng.integers(min(len(content), 200)))]


def _last_bytes_missing(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: -int(rng.integers(1, 9))]


def _bytes_appended(rng: np.random.Generator, content: bytes) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 100)))


def _another_header_length(rng: np.random.Generator, content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    lengths = [0, 1, length - 1, length + 1, length + 8, len(content), 2**31, 2**63, 2**64 - 1]
    return struct.pack("<Q", lengths[rng.integers(len(lengths))]) + content[8:]


def _another_header(rng: np.random.Generator, content: bytes) -> bytes:
    headers = [
        b"", b"{", b"[]", b"null", b'"x"', b"7", b"\xff\xfe", b"{}", b'{"a":', b"[" * 200_000, b'{"a":' * 100_000,
        b'{"a": {}}', b'{"a": []}', b'{"a": null}', b'{"a": 1}', b'{"__metadata__": 1}', b"NaN", b"{'a': 1}",
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}', b'{"a": {"dtype": "F32", "shape": [1]}}',
    ]  # fmt: skip
    return _with_header(content, headers[rng.integers(len(headers))])


def _byte_of_the_header_changed(rng: np.random.Generator, content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    changed = bytearray(content)
    changed[int(rng.integers(min(len(content), 8 + length)))] = int(rng.integers(256))
    return bytes(changed)


def _bytes_of_the_data_changed(rng: np.random.Generator, content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    changed = bytearray(content)
    for place in rng.integers(min(8 + length, len(content) - 1), len(content), 16):
        changed[int(place)] = int(rng.integers(256))
    return bytes(changed)


_IN_BYTES = (
    *(_cut_off, _cut_off_in_the_header, _last_bytes_missing, _bytes_appended, _another_header_length, _another_header),
    *(_byte_of_the_header_changed, _bytes_of_the_data_changed),
)
