from pathlib import Path

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import record_text
from mindone_tcd.generate.record_text import opened, parse, to_text

PATH = Path("a.png")


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_record_survives(ascii_only):
    record = {"prompt": "ein roter Kreis, 红圆 \U0001f534", "model": "a\udcffb", "seed": 10**100 - 1, "eta": 0.3}
    text = to_text(record, PATH, ascii_only)
    assert text.isascii() is ascii_only
    assert parse(text.encode(), PATH, "do that") == record


def test_a_record_that_is_too_long_is_not_written(monkeypatch):
    monkeypatch.setattr(record_text, "MOST_TEXT", 20)
    assert to_text({"a": "x" * 11}, PATH) == '{"a": "xxxxxxxxxxx"}'
    with pytest.raises(UsageError, match=r"cannot write a\.png: its record has 21 bytes, but at most 20"):
        to_text({"a": "x" * 12}, PATH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"nothing", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": 1e999}', "a number is too large or too long"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "a number has 5001 digits; at most 100"),
        (b'{"a": 1, "a": 2}', "it has a duplicate key"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 9 + b"]" * 9, "nested too deeply"),
    ],
)
def test_texts_that_are_no_record(text, message):
    with pytest.raises(UsageError, match=rf"the record in a\.png .*{message}.*; do that$") as caught:
        parse(text, PATH, "do that")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    for path, message in ((tmp_path, "is a folder; do that"), (tmp_path / "a.png", r"no file .*a\.png; do that")):
        with pytest.raises(UsageError, match=message), opened(path, "do that"):
            pass

    def fail(*_arguments):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Path, "open", fail)
    with (
        pytest.raises(UsageError, match=r"cannot be read \(Permission denied\); do that"),
        opened(tmp_path / "a.png", "do that"),
    ):
        pass
