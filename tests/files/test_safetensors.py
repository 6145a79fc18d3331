"""Safetensors files with inconsistent headers are refused in one line, and complete files are read."""

import json
import os
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.adapters.files import as_arrays, read_safetensors
from mindone_tcd.errors import UsageError
from mindone_tcd.files.safetensors import check_floats, read_header, read_tensors

F16_2x2 = {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}
NEXT = {"dtype": "F16", "shape": [4], "data_offsets": [8, 16]}


def write(path, header, data=bytes(16)):
    """A file with this header, as text, bytes or an object, before the data."""
    if not isinstance(header, bytes):
        header = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def refused(path, message, read=read_header):
    with pytest.raises(UsageError, match=message) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    assert len(text) < 1000 + len(str(path))


def one(**changes):
    return {"a.weight": {**F16_2x2, **changes}, "b.weight": NEXT}


def test_read_a_complete_file(tmp_path):
    path = write(tmp_path / "x.safetensors", {"__metadata__": {"format": "pt"}, "b.weight": NEXT, "a.weight": F16_2x2})
    header = read_header(path)
    assert header.metadata == {"format": "pt"}
    assert list(header.tensors) == ["a.weight", "b.weight"]
    check_floats(header)
    assert {key: values.shape for key, values in read_tensors(header)} == {"a.weight": (2, 2), "b.weight": (4,)}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (one(data_offsets=[0, 10], shape=[5]), "'b.weight' overlaps 'a.weight'"),
        (one(data_offsets=[2, 10]), "'a.weight' leaves a gap after the header"),
        (one(data_offsets=[8, 16]), "'a.weight' leaves a gap after the header"),
        (one(data_offsets=[0, 6], shape=[3]), "'b.weight' leaves a gap after 'a.weight'"),
        (one(data_offsets=[-8, 0]), r"data_offsets of 'a.weight' should be .* not \[-8, 0\]"),
        (one(data_offsets=[8, 0]), r"data_offsets of 'a.weight' should be"),
        (one(data_offsets=[0, 8, 8]), r"data_offsets of 'a.weight' should be"),
        (one(data_offsets=[0.0, 8.0]), r"data_offsets of 'a.weight' should be"),
        (one(data_offsets=[False, 8]), r"data_offsets of 'a.weight' should be"),
        (one(data_offsets="08"), r"data_offsets of 'a.weight' should be"),
        (one(data_offsets=[0, 10**30]), r"does not match its 10+ bytes"),
        ({"a.weight": F16_2x2, "b.weight": {**NEXT, "data_offsets": [8, 20], "shape": [6]}}, "its header requires"),
        ({"a.weight": F16_2x2}, r"is damaged: it has \d+ bytes, but its header requires"),
        (one(shape=[2, 3]), r"'a.weight' of dtype F16 and shape \[2, 3\] does not match its 8 bytes"),
        (one(dtype="F32"), r"of dtype F32 and shape \[2, 2\] does not match its 8 bytes"),
        (one(shape=[True, 4]), r"shape of 'a.weight' should be at most 8 integers from 0, not \[True, 4\]"),
        (one(shape=[2.0, 2]), "should be at most 8 integers from 0"),
        (one(shape=[-2, -2]), "should be at most 8 integers from 0"),
        (one(shape=4), "should be at most 8 integers from 0"),
        (one(shape=[1] * 9 + [4]), "should be at most 8 integers from 0"),
        (one(shape=[2**40, 2**40], data_offsets=[0, 2**81]), "is too large for any memory"),
        (one(shape=[0, 2**40, 2**40], data_offsets=[0, 0]), "is too large for any memory"),
        (one(shape=[10**3000, 0], data_offsets=[0, 0]), "is too large for any memory"),
        (one(dtype="F17"), "unknown dtype 'F17'"),
        (one(dtype=None), "unknown dtype None"),
        (one(dtype=["F16"]), r"unknown dtype \['F16'\]"),
        ({"a.weight": {"dtype": "F16", "shape": [8]}}, "should have only a dtype, a shape and data_offsets"),
        ({"a.weight": {**F16_2x2, "more": 1}}, "should have only a dtype, a shape and data_offsets"),
        ({"a.weight": [1]}, "should have only a dtype, a shape and data_offsets"),
        ({**one(), "__metadata__": {"format": 1}}, "__metadata__ should map strings to strings"),
        ({**one(), "__metadata__": {"format": {"a": "b"}}}, "__metadata__ should map strings to strings"),
        ({**one(), "__metadata__": None}, "__metadata__ should map strings to strings"),
        ({**one(), "__metadata__": ["format"]}, "__metadata__ should map strings to strings"),
        ('{"a.weight": 1, "b": 2, "a.weight": 3}', "it has the key 'a.weight' twice"),
        ('{"a": {"dtype": "F16", "dtype": "F32"}}', "it has the key 'dtype' twice"),
        ('{"a": {"dtype": "F16", "shape": [NaN], "data_offsets": [0, 16]}}', "it holds NaN"),
        ('{"a":' * 200_000, "nested too deeply|cannot be read"),
        ('{"a":' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ("[1, 2]", "begins with b'\\[1, '"),
        ("{", "cannot be read"),
        ("null", "begins with"),
        (b"\xef\xbb\xbf" + json.dumps(one()).encode(), "begins with"),
        (json.dumps(one()).encode("utf-16"), "begins with"),
        (json.dumps(one()).encode("utf-16-le"), "cannot be read"),
        (b'{"\xff": 1}', "cannot be read"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
        ({"a" * 1001: F16_2x2, "b": NEXT}, "has 1001 characters"),
        ({"a\nb" + "." * 5_000_000: F16_2x2, "b": NEXT}, "has 5000003 characters"),
    ],
)  # fmt: skip
def test_inconsistent_headers_raise_an_error(tmp_path, header, message):
    refused(write(tmp_path / "x.safetensors", header), message)


def test_a_header_above_the_formats_limit_is_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as stream:
        stream.write((100_000_001).to_bytes(8, "little"))
        stream.truncate(100_000_100)  # a sparse file: it uses no disk space
    refused(path, "its header has 100000001 bytes, but the format allows 100000000")


def test_paths_that_are_not_files_raise_an_error(tmp_path):
    refused(tmp_path / "missing.safetensors", r"cannot be read \(No such file")
    refused(tmp_path, "is not a file")
    os.mkfifo(tmp_path / "pipe.safetensors")
    refused(tmp_path / "pipe.safetensors", "is not a file")


@pytest.mark.parametrize("dtype", ["I16", "U16", "I8", "BOOL", "C64", "F8_E4M3"])
def test_weights_of_a_wrong_dtype_raise_an_error(tmp_path, dtype):
    size = {"I16": 2, "U16": 2, "C64": 8}.get(dtype, 1)
    entry = {"dtype": dtype, "shape": [16 // size], "data_offsets": [0, 16]}
    path = write(tmp_path / "x.safetensors", {"layer.weight": entry})
    message = rf"'layer.weight' has the dtype {dtype}; expected float32, float16 or bfloat16"
    refused(path, message, lambda path: check_floats(read_header(path)))
    refused(path, message, read_safetensors)


def test_buffers_may_be_integers(tmp_path):
    keys = ("embeddings.position_ids", "norm.num_batches_tracked", "lora_unet_x.alpha")
    save_file({key: np.arange(3) for key in keys}, tmp_path / "x.safetensors")
    assert read_safetensors(tmp_path / "x.safetensors")[0].keys() == set(keys)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "bfloat16"])
def test_nan_and_infinity_are_named(tmp_path, number, dtype):
    values = np.full(300_000, -60000.0, np.float32 if dtype == "bfloat16" else dtype)
    values[299_990] = number
    if dtype == "bfloat16":
        data = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header = {"layer.weight": {"dtype": "BF16", "shape": [300_000], "data_offsets": [0, len(data)]}}
        path = write(tmp_path / "x.safetensors", header, data)
    else:
        path = tmp_path / "x.safetensors"
        save_file({"good.weight": np.ones(3, np.float32), "layer.weight": values}, path)
    refused(path, "'layer.weight' holds a NaN or an infinity", read_safetensors)
    values[299_990] = 0.0
    if dtype != "bfloat16":
        save_file({"layer.weight": values}, path)
        np.testing.assert_array_equal(read_safetensors(path)[0]["layer.weight"], values)


def test_arrays_in_memory_are_checked_too():
    with pytest.raises(UsageError, match="'x' holds a NaN or an infinity"):
        as_arrays({"x": np.array([[1.0, np.nan]], np.float32)})


def test_a_file_truncated_during_the_read(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a.weight": np.ones(1000, np.float32)}, path)
    header = read_header(path)
    path.write_bytes(path.read_bytes()[:-8])
    refused(path, "'a.weight' was truncated during the read", lambda path: dict(read_tensors(header)))


def test_many_keys_are_read(tmp_path):
    count = 100_000
    header = {f"k{n}": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]} for n in reversed(range(count))}
    found = read_header(write(tmp_path / "x.safetensors", header, bytes(count)))
    assert list(found.tensors) == [f"k{n}" for n in range(count)]


def test_messages_name_the_file_and_stay_short(tmp_path):
    path = write(tmp_path / "x.safetensors", one(dtype="x" * 100_000))
    with pytest.raises(UsageError) as caught:
        read_header(path)
    assert re.match(rf"{re.escape(str(path))} is damaged: 'a\.weight' has the unknown dtype 'x+…'", str(caught.value))
