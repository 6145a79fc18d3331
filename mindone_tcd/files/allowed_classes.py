"""Check that a model's JSON files name only classes of mindone and transformers, and files beside them; never code.

mindone imports any module that ``model_index.json`` names, even from the model's folder. The lists here come from the
tables in the source of mindone and transformers, read as text without importing them.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..schedulers.methods import METHODS

CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9_]{0,99}")
_PART = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_VERSION = re.compile(r"\d[\w.+-]{0,39}")
_DTYPE = re.compile(r"(?:torch\.)?(?:auto|b?float\d+\w*|complex\d+|u?int\d+|half|float|double|bool)")
_SHARD = re.compile(r"[^/\\:]+\.safetensors")
_LISTED = re.compile(r'"([A-Z]\w*(?:Tokenizer|Processor|FeatureExtractor|TokenizerFast|ProcessorFast))"')

_UNUSED_FILE = "special_tokens_map_file"  # old versions write it; nothing reads it
_LIBRARIES = {"diffusers": "diffusers", "transformers": "transformers"}
_LIBRARIES |= {f"mindone.{name}": name for name in _LIBRARIES}
_REMEDY = "code from a model's folder is never run"


def check_index(path: Path, index: Mapping[str, Any], *, any_pipeline: bool = True) -> None:
    """Check that a pipeline's index names only classes that may be loaded.

    Args:
        path: the index, for the error message.
        index: its content.
        any_pipeline: whether ``_class_name`` selects the pipeline's class. If not, that class is not imported, and the
            name may be that of any class.

    Raises:
        UsageError: if it names another class; the message names the file, the entry and what is expected.
    """
    name = index.get("_class_name")
    if not isinstance(name, str):
        raise UsageError(f"{path}: _class_name is {_short(name)}; expected the name of a pipeline: {_REMEDY}")
    mindone = _package("mindone")
    known = _diffusers(mindone)["pipelines"] if any_pipeline and mindone is not None else None
    if not CLASS_NAME.fullmatch(name) or (known is not None and name.removeprefix("Flax") not in known):
        raise UsageError(f"{path}: _class_name is {_short(name)}; expected a pipeline of mindone.diffusers: {_REMEDY}")
    found = index.get("_diffusers_version", "0")
    if not isinstance(found, str) or not _VERSION.fullmatch(found):
        raise UsageError(f"{path}: _diffusers_version is {_short(found)}; expected a version such as '0.30.0'")
    for part, entry in index.items():
        if not part.startswith("_"):
            _check_part(path, part, entry)


def _check_part(path: Path, part: str, entry: Any) -> None:
    if not _PART.fullmatch(part):
        raise UsageError(f"{path} has the entry {_short(part)}; expected the name of a component, such as 'unet'")
    if is_value(entry):
        return
    if not isinstance(entry, list) or len(entry) != 2:
        raise UsageError(
            f'{path}: {part} is {_short(entry, json.dumps)}; expected two names, such as ["diffusers", "AutoencoderKL"]'
        )
    if entry[0] is not None:
        library, name = entry
        check_class(library, name, f"{path}: {part}")


def is_value(entry: Any) -> bool:
    """Return whether an index entry is a setting, not a component. mindone unpacks two-letter strings as components."""
    if isinstance(entry, list):
        return bool(entry) and all(isinstance(item, int | float) for item in entry)
    return not isinstance(entry, str) or len(entry) != 2


def check_class(library: Any, name: Any, where: str) -> None:
    """Check that a class may be loaded. Nothing is imported.

    Args:
        library: ``diffusers``, ``transformers`` or a package of mindone's pipelines, such as ``stable_diffusion``.
        name: the class's name.
        where: the file and its entry, for the error message.

    Raises:
        UsageError: if it may not be loaded.
    """
    if isinstance(library, str) and isinstance(name, str) and CLASS_NAME.fullmatch(name):
        mindone, transformers = _package("mindone"), _package("transformers")
        if mindone is None or transformers is None:  # without them, nothing is imported later
            return
        if name.removeprefix("Flax") in _classes(library, mindone, transformers):
            return
    raise UsageError(
        f"{where} is {_short([library, name], json.dumps)}; expected a class of mindone's diffusers or transformers, "
        f'such as ["diffusers", "AutoencoderKL"]: {_REMEDY}'
    )


def is_own_package(library: Any) -> bool:
    """Return whether a library is a package of mindone's pipelines with its own classes, such as ``kolors``."""
    mindone = _package("mindone")
    return mindone is not None and isinstance(library, str) and library in _packages(mindone)


def check_config(path: Path, config: Mapping[str, Any], library: str | None = None) -> None:
    """Check that a component's configuration refers to no code, and to no file outside the component's folder.

    Args:
        path: the file, for the error message.
        config: its content.
        library: the library from which the pipeline's index loads the component. Some published components name code
            in ``auto_map``, although mindone has its own classes for them (Kolors' text encoder). Those classes do not
            read ``auto_map``.

    Raises:
        UsageError: if it does; the message names the file, the entry and what is expected.
    """
    name = config.get("_class_name", "Any")
    if not isinstance(name, str) or not CLASS_NAME.fullmatch(name):
        raise UsageError(f"{path}: _class_name is {_short(name)}; expected the name of a class: {_REMEDY}")
    left = [config]
    while left:
        level = left.pop()
        if path.name == "tokenizer_config.json":
            _check_tokenizer(path, level)
        if level.get("auto_map") and not is_own_package(library):
            raise UsageError(f"{path}: auto_map is {_short(level['auto_map'])}; expected none: {_REMEDY}")
        for key in ("torch_dtype", "dtype"):
            dtype = level.get(key)
            if isinstance(dtype, str) and not _DTYPE.fullmatch(dtype):
                raise UsageError(f"{path}: {key} is {_short(dtype)}; expected a type such as 'float16'")
        left += [value for value in level.values() if isinstance(value, dict)]


def _check_tokenizer(path: Path, config: Mapping[str, Any]) -> None:
    """Reject file names: transformers opens the files that a tokenizer's configuration names, wherever they are."""
    for key, value in config.items():
        if value and (key == "init_inputs" or (key.endswith("_file") and key != _UNUSED_FILE)):
            raise UsageError(f"{path}: {key} is {_short(value)}; expected none: the folder's own files are read")


def check_shards(path: Path, index: Mapping[str, Any]) -> None:
    """Check that a weight index names only safetensors files in its own folder.

    Raises:
        UsageError: if it names another file; the message names the file and the entry.
    """
    weight_map = index.get("weight_map", {})
    for key, shard in weight_map.items() if isinstance(weight_map, dict) else ():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise UsageError(
                f"{path}: the file of {_short(key)} is {_short(shard)}; expected a .safetensors file of the same folder"
            )


def _short(value: Any, write: Callable[[Any], str] = ascii, most: int = 80) -> str:
    """Format a value of a file for a message: on one line, truncated if it is long."""
    text = write(value)
    return text if len(text) <= most else f"{text[:most]}…"


# ----- the tables of mindone and transformers -------------------------------------------------------------------------


@functools.cache
def _package(name: str) -> Path | None:
    """Return the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _classes(library: str, mindone: Path, transformers: Path) -> frozenset[str]:
    library = _LIBRARIES.get(library, library)
    if library == "diffusers":
        return frozenset().union(*_diffusers(mindone).values(), (method.scheduler_name for method in METHODS.values()))
    if library == "transformers":
        return _transformers(mindone, transformers)
    return _exported(mindone / "diffusers" / "pipelines" / library) if library in _packages(mindone) else frozenset()


@functools.cache
def _diffusers(mindone: Path) -> dict[str, frozenset[str]]:
    """Return the classes of mindone.diffusers, by kind."""
    table = _structure(mindone / "diffusers" / "__init__.py")
    return {
        kind: frozenset(filter(CLASS_NAME.fullmatch, table[kind])) for kind in ("models", "pipelines", "schedulers")
    }


@functools.cache
def _packages(mindone: Path) -> frozenset[str]:
    """Return the packages of mindone's pipelines that an index may name."""
    pipelines = mindone / "diffusers" / "pipelines"
    named = _structure(pipelines / "__init__.py")
    return frozenset(name for name in named if (pipelines / name / "__init__.py").is_file())


def _structure(path: Path) -> dict[str, list[str]]:
    """Return the import table of a package of mindone.diffusers."""
    for node in _parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_import_structure":
            return ast.literal_eval(node.value)
    return {}


@functools.cache
def _exported(package: Path) -> frozenset[str]:
    """Return the classes that a package's ``__init__.py`` takes from its modules, by table or by import."""
    names: set[str] = set()
    for node in ast.walk(_parsed(package / "__init__.py")):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Assign | ast.Call) and ast.unparse(node).startswith("_import_structure"):
            constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
            names.update(value for value in constants if isinstance(value, str))
    return frozenset(filter(CLASS_NAME.fullmatch, names))


@functools.cache
def _transformers(mindone: Path, transformers: Path) -> frozenset[str]:
    """Return the models, tokenizers and processors of mindone.transformers, and those of transformers except models."""
    models = _parsed(mindone / "transformers" / "__init__.py")
    names = {
        alias.name
        for node in ast.walk(models)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and (node.module or "").startswith("models")
        for alias in node.names
    }
    auto = transformers / "models" / "auto"
    for kind in ("tokenization", "image_processing", "feature_extraction", "processing"):
        names.update(_LISTED.findall((auto / f"{kind}_auto.py").read_text(encoding="utf-8")))
    return frozenset(name for name in names if CLASS_NAME.fullmatch(name) and not name.isupper())


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
