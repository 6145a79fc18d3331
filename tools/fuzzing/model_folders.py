"""Damaged copies of a model folder, one damage each, as a crash, a bad download or an attacker leaves them.

The list is the same for the same seed. Nothing here imports MindSpore. Weights are hard links to the files of the model
if the file system allows it, so a copy is quick. Each damage replaces a link and never writes through it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindone_tcd.shapes.folder import SHAPES_FOLDER

WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 3, 10**12, 10**400, 2.5, float("nan"), "", "nonsense", "é\n" * 50, [], [None], [1, "a"],
    ["x"] * 3, [-1, 0, 2], [10**9] * 4, [[[]]], {}, {"a": 1},
)  # fmt: skip
"""Values of every JSON type, and some of the right type that no model has."""


@dataclass(frozen=True)
class Damage:
    """One damage.

    Attributes:
        name: the file and its damage; unique.
        file: the file or folder, relative to the model folder.
        apply: a function that damages the copy of the model in a folder.
        sure: whether the damaged folder is unusable, so that loading must refuse it.
    """

    name: str
    file: str
    apply: Callable[[Path], None]
    sure: bool = False


def copy(folder: Path, source: Path = SHAPES_FOLDER) -> Path:
    """A copy of a model folder without its LoRAs, with links to the weights.

    Args:
        folder: the new folder; it must not exist.
        source: the folder of the model.
    """
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.parent.name.endswith("_lora"):
            continue
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            try:
                os.link(path, target)
            except OSError:
                target.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, target)
    return folder


def damages(seed: int = 0, values: int | None = 4, source: Path = SHAPES_FOLDER) -> list[Damage]:
    """The damages of a model folder.

    Args:
        seed: the seed of the choice among :data:`WRONG`.
        values: the number of wrong values for each field; None for all.
        source: the folder of the model whose files and fields are damaged.
    """
    dice = random.Random(seed)
    files = sorted(
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and not path.parent.name.endswith("_lora")
    )
    found = [damage for file in files for damage in _of_a_file(file)]
    for file in files:
        if file.endswith(".json"):
            found += _of_fields(file, json.loads((source / file).read_text(encoding="utf-8")), dice, values)
        elif file.endswith(".safetensors"):
            found += _of_weights(file)
        else:
            found += _of_merges(file)
    for part in sorted({file.partition("/")[0] for file in files if "/" in file}):
        found.append(Damage(f"{part}: no folder", part, _removed(part), sure=True))
        found.append(Damage(f"{part}: a file in its place", part, _replaced(part, b"x"), sure=True))
    return found


def _of_a_file(file: str) -> Iterator[Damage]:
    optional = file.endswith(("tokenizer_config.json", "special_tokens_map.json"))
    yield Damage(f"{file}: missing", file, _removed(file), sure=not optional)
    yield Damage(f"{file}: empty", file, _replaced(file, b""), sure=True)
    yield Damage(f"{file}: a folder in its place", file, _folder(file), sure=True)
    yield Damage(f"{file}: not to be read", file, _forbidden(file))
    yield Damage(f"{file}: a link to nothing", file, _linked(file, "nothing"), sure=not optional)
    yield Damage(f"{file}: a link to itself", file, _linked(file, file.rpartition("/")[2]), sure=not optional)
    yield Damage(f"{file}: a named pipe", file, _pipe(file), sure=not optional)
    yield Damage(f"{file}: zeros", file, _replaced(file, bytes(4096)), sure=True)
    yield Damage(f"{file}: an HTML page", file, _replaced(file, b"<!DOCTYPE html>\n<html></html>"), sure=True)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    yield Damage(f"{file}: a pointer of git-lfs", file, _replaced(file, pointer), sure=not file.endswith("merges.txt"))
    yield Damage(f"{file}: cut in half", file, _edited(file, lambda raw: raw[: len(raw) // 2]), sure=file[-3:] != "txt")
    if file.endswith(".json"):
        for name, content in {"{}": b"{}", "[]": b"[]", "null": b"null", "deep": b'{"a":' * 100_000}.items():
            harmless = name == "{}" and (
                optional or not file.endswith(("vocab.json", "index.json", "scheduler_config.json"))
            )
            yield Damage(f"{file}: {name}", file, _replaced(file, content), sure=not harmless)
        yield Damage(f"{file}: UTF-16", file, _edited(file, lambda raw: raw.decode().encode("utf-16")), sure=True)
        yield Damage(f"{file}: a byte order mark", file, _edited(file, lambda raw: b"\xef\xbb\xbf" + raw), sure=True)


def _of_fields(file: str, content: dict[str, Any], dice: random.Random, values: int | None) -> Iterator[Damage]:
    fields = sorted(content)
    if file.endswith("vocab.json"):
        fields = dice.sample(fields, 4)
    for field in fields:
        yield Damage(f"{file}: without {field!r}", file, _field(file, field, ...))
        others = [value for value in WRONG if type(value) is not type(content[field]) or type(value) in (int, list)]
        for value in others if values is None else dice.sample(others, min(values, len(others))):
            spelled = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}…"
            yield Damage(f"{file}: {field} = {spelled}", file, _field(file, field, value))


def _of_weights(file: str) -> Iterator[Damage]:
    def header(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
        def edit(raw: bytes) -> bytes:
            length = int.from_bytes(raw[:8], "little")
            found = json.loads(raw[8 : 8 + length])
            change(found)
            made = json.dumps(found).encode()
            return len(made).to_bytes(8, "little") + made + raw[8 + length :]

        return edit

    def first(found: dict[str, Any]) -> dict[str, Any]:
        return found[min(key for key in found if key != "__metadata__")]

    changes: dict[str, Callable[[dict[str, Any]], None]] = {
        "integers for floats": lambda found: first(found).update(dtype="I16"),
        "an unknown dtype": lambda found: first(found).update(dtype="F17"),
        "another shape": lambda found: first(found).update(shape=[1]),
        "a huge shape": lambda found: first(found).update(shape=[2**40, 2**40]),
        "negative offsets": lambda found: first(found).update(data_offsets=[-2, 0]),
        "offsets behind the end": lambda found: first(found).update(data_offsets=[10**12, 10**12 + 2]),
        "shifted offsets": lambda found: first(found).update(
            data_offsets=[at + 2 for at in first(found)["data_offsets"]]
        ),
        "numbers as metadata": lambda found: found.update(__metadata__={"format": 1}),
        "a tensor less": lambda found: found.pop(max(key for key in found if key != "__metadata__")) and None,
    }
    for name, change in changes.items():
        yield Damage(f"{file}: {name}", file, _edited(file, header(change)), sure=True)
    nan = b"\x00\x7e"
    yield Damage(f"{file}: a NaN", file, _edited(file, lambda raw: raw[:-2] + nan))
    yield Damage(f"{file}: another key", file, _edited(file, lambda raw: raw.replace(b".weight", b".Weight", 1)))
    yield Damage(f"{file}: named .bin", file, _renamed(file, file.replace(".safetensors", ".bin")), sure=True)


def _of_merges(file: str) -> Iterator[Damage]:
    first = b"#version: 0.2\n"
    yield Damage(f"{file}: no merges", file, _replaced(file, first), sure=True)
    yield Damage(f"{file}: one part a line", file, _replaced(file, first + b"a\nb\n"), sure=True)
    yield Damage(f"{file}: latin-1", file, _replaced(file, first + b"\xe9 a\n"), sure=True)


def _removed(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / file
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    return apply


def _replaced(file: str, content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        _removed(file)(folder)
        (folder / file).write_bytes(content)

    return apply


def _edited(file: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: _replaced(file, edit((folder / file).read_bytes()))(folder)


def _field(file: str, field: str, value: Any) -> Callable[[Path], None]:
    def edit(raw: bytes) -> bytes:
        content = json.loads(raw)
        if value is ...:
            del content[field]
        else:
            content[field] = value
        return json.dumps(content).encode()

    return _edited(file, edit)


def _folder(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        _removed(file)(folder)
        (folder / file).mkdir()

    return apply


def _forbidden(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = (folder / file).read_bytes()  # a hard link shares its mode with the file of the model
        _replaced(file, content)(folder)
        (folder / file).chmod(0)

    return apply


def _linked(file: str, target: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        _removed(file)(folder)
        (folder / file).symlink_to(target)

    return apply


def _pipe(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        _removed(file)(folder)
        os.mkfifo(folder / file)

    return apply


def _renamed(file: str, name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).rename(folder / name) and None
