"""Check the files of a tokenizer folder: vocabulary, merges and configurations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from ..errors import UsageError, first_line, shown
from .config_fields import check_fields
from .json_object import read_json

_LONGEST_TOKEN = 1000


def check_tokenizer(folder: Path) -> None:
    """Check that the files of a tokenizer can be read and have the expected content.

    Raises:
        UsageError: if a file is missing or wrong; the message names the file and the fault.
    """
    for name, kind in (("tokenizer_config.json", "tokenizer"), ("special_tokens_map.json", "special tokens")):
        path = folder / name
        if os.path.lexists(path):
            check_fields(read_json(path), kind, path)
    whole = os.path.lexists(folder / "tokenizer.json")
    if whole and not isinstance(read_json(folder / "tokenizer.json").get("model"), dict):
        _refuse(folder / "tokenizer.json", "its model is not an object")
    if not whole or os.path.lexists(folder / "vocab.json"):
        _check_numbers(folder / "vocab.json")
    if os.path.lexists(folder / "added_tokens.json"):
        _check_numbers(folder / "added_tokens.json", empty=True)
    if not whole or os.path.lexists(folder / "merges.txt"):
        _check_merges(folder / "merges.txt")


def _check_numbers(path: Path, empty: bool = False) -> None:
    vocabulary: dict[str, Any] = read_json(path)
    if not vocabulary and not empty:
        _refuse(path, "it has no tokens")
    for token, number in vocabulary.items():
        if type(number) is not int or not 0 <= number < 2**31:
            _refuse(path, f"the ID of {shown(token)} is {shown(number)}")
        if len(token) > _LONGEST_TOKEN:
            _refuse(path, f"the token {shown(token)} has {len(token)} characters")
    if len(set(vocabulary.values())) != len(vocabulary):
        _refuse(path, "two tokens have the same ID")


def _check_merges(path: Path) -> None:
    if not os.path.lexists(path):
        raise UsageError(f"{path.parent} lacks {path.name}; fetch or save the model again")
    if not path.is_file():
        _refuse(path, "it is not a file")
    try:
        lines = path.read_text(encoding="utf-8").strip().split("\n")[1:]
    except (OSError, ValueError) as error:
        _refuse(path, f"it cannot be read: {first_line(error)}")
    if not lines:
        _refuse(path, "it has no merges")
    for number, line in enumerate(lines, 2):
        if len(line.split()) != 2:
            _refuse(path, f"line {number} is {shown(line)}, but a merge has two parts")


def _refuse(path: Path, fault: str) -> NoReturn:
    raise UsageError(f"{path} is not a tokenizer file: {fault}; fetch or save the model again")
