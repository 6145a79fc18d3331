"""JSON objects of files, and one line for each file that is none."""

import os

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files import json_object
from mindone_tcd.files.json_object import read_json


def refusal(path):
    with pytest.raises(UsageError) as caught:
        read_json(path)
    text = str(caught.value)
    assert text.startswith(str(path)), "the message names the file"
    assert "\n" not in text
    return text.removeprefix(str(path)).strip()


def test_an_object(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"name": "猫", "sizes": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(path) == {"name": "猫", "sizes": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1]", "must contain a JSON object, not a list"),
        (b"null", "must contain a JSON object, not a NoneType"),
        (b'"text"', "must contain a JSON object, not a str"),
        (b"", "cannot be read as JSON (Expecting value"),
        (b'{"a": 1', "cannot be read as JSON (Expecting"),
        (b'{"a": "\xff"}', "cannot be read as JSON ('utf-8' codec can't decode byte 0xff"),
        (b"[" * 200_000, "cannot be read as JSON (it is nested too deeply)"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read as JSON (Exceeds the limit"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, reason):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert refusal(path).startswith(reason)


def test_a_missing_file(tmp_path):
    assert "No such file" in refusal(tmp_path / "config.json")


def test_a_folder_and_a_pipe_are_not_opened(tmp_path):
    assert "it is not a file" in refusal(tmp_path)
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)  # to open it would block
    assert "it is not a file" in refusal(pipe)


def test_the_size_is_limited_before_the_file_is_read(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text('{"a": 1}')
    monkeypatch.setattr(json_object, "_LARGEST", 8)
    assert read_json(path) == {"a": 1}
    monkeypatch.setattr(json_object, "_LARGEST", 7)
    monkeypatch.setattr(json_object.json, "loads", lambda text: pytest.fail("it was read"))
    assert refusal(path).startswith("has 8 bytes; expected a JSON object of at most 7")
