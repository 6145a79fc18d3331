"""The files of a tokenizer's folder."""

import json

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.tokenizer_files import check_tokenizer

VOCAB, MERGES = {"a</w>": 0, "b": 1}, "#version: 0.2\na b\nab c</w>\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a vocabulary and merges; called, it changes files and checks the folder."""

    def check(**files):
        for name, content in {"vocab.json": VOCAB, "merges.txt": MERGES, **files}.items():
            if content is None:
                (tmp_path / name).unlink(missing_ok=True)
            else:
                (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        check_tokenizer(tmp_path)

    check.path = tmp_path
    return check


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"added_tokens.json": {}},
        {"added_tokens.json": {"<new>": 2}},
        {"tokenizer_config.json": {"model_max_length": 77, "bos_token": "<s>"}},
        {"special_tokens_map.json": {"bos_token": {"content": "<s>"}}},
        {"tokenizer.json": {"model": {}}},
        {"tokenizer.json": {"model": {}}, "vocab.json": None, "merges.txt": None},
    ],
)
def test_files_that_fit(folder, files):
    folder(**files)


@pytest.mark.parametrize(
    ("files", "file", "fault"),
    [
        ({"vocab.json": {}}, "vocab.json", "it has no tokens"),
        ({"vocab.json": {"a": -1}}, "vocab.json", "the ID of 'a' is -1"),
        ({"vocab.json": {"a": 2**31}}, "vocab.json", "the ID of 'a' is 2147483648"),
        ({"vocab.json": {"a": True}}, "vocab.json", "the ID of 'a' is True"),
        ({"vocab.json": {"a": 1.0}}, "vocab.json", "the ID of 'a' is 1.0"),
        ({"vocab.json": {"a": 3, "b": 3}}, "vocab.json", "two tokens have the same ID"),
        ({"vocab.json": {"a" * 1001: 0}}, "vocab.json", "has 1001 characters"),
        ({"vocab.json": [1]}, "vocab.json", "must contain a JSON object"),
        ({"vocab.json": None}, "vocab.json", "cannot be read as JSON"),
        ({"added_tokens.json": {"a": "1"}}, "added_tokens.json", "the ID of 'a' is '1'"),
        ({"merges.txt": None}, "merges.txt", "fetch or save the model again"),
        ({"merges.txt": "#version: 0.2\n"}, "merges.txt", "it has no merges"),
        ({"merges.txt": "#version\na b\na b c\n"}, "merges.txt", "line 3 is 'a b c', but a merge has two parts"),
        ({"merges.txt": "#version\n\na b"}, "merges.txt", "line 2 is ''"),
        ({"tokenizer.json": {}}, "tokenizer.json", "its model is not an object"),
        ({"tokenizer.json": {"model": []}}, "tokenizer.json", "its model is not an object"),
        ({"tokenizer.json": {"model": {}}, "vocab.json": {}}, "vocab.json", "it has no tokens"),
        ({"tokenizer_config.json": {"model_max_length": 0}}, "tokenizer_config.json", "model_max_length is 0"),
        ({"special_tokens_map.json": {"bos_token": 1}}, "special_tokens_map.json", "bos_token is 1"),
    ],
)
def test_the_message_names_the_file_and_the_fault(folder, files, file, fault):
    with pytest.raises(UsageError) as caught:
        folder(**files)
    assert file in str(caught.value)
    assert fault in str(caught.value)


def test_merges_that_cannot_be_read(folder):
    (folder.path / "vocab.json").write_text(json.dumps(VOCAB))
    (folder.path / "merges.txt").write_bytes(b"#version\n\xff \xfe\n")
    with pytest.raises(UsageError, match=r"merges\.txt is not a tokenizer file: it cannot be read: 'utf-8' codec"):
        check_tokenizer(folder.path)
    (folder.path / "merges.txt").unlink()
    (folder.path / "merges.txt").mkdir()
    with pytest.raises(UsageError, match=r"merges\.txt is not a tokenizer file: it is not a file"):
        check_tokenizer(folder.path)
