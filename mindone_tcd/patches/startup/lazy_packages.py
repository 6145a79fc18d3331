"""Packages of mindone whose names are imported when they are asked for.

mindone.transformers imports some 330 models, of which a pipeline needs two. Here a package's ``__init__.py`` is run
with each relative import noted instead of done, in its order and under its conditions; a name is then imported when it
is first looked up. What is imported, from where and under which name stands in mindone's own source alone.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from .late_imports import Run, file_of

_NOTE = "_note_import"
_ALL = re.compile(r"^__all__ = (\[[^\]]*\])", re.MULTILINE)


class _Noted(ast.NodeTransformer):
    """Calls that note an import, in the place of the relative imports outside functions and classes."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if node.level != 1:
            return node
        names = {alias.asname or alias.name: alias.name for alias in node.names}
        call = ast.parse(f"{_NOTE}({node.module or ''!r}, {names!r})").body[0]
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def _leave(self, node: ast.stmt) -> ast.stmt:
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Try = _leave


class LazyPackage:
    """The imports of one package's ``__init__.py`` that wait until their names are looked up.

    Attributes:
        module: the package.
        imports: each name with the module that has it, below the package, and its name there.
        parts: the package's own modules that its imports name; they are attributes of it, too.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.imports: dict[str, tuple[str, str]] = {}
        self.parts: set[str] = set()

    def run(self) -> None:
        """Run the package's file, noting its imports, and let the package find their names."""
        file, names = file_of(self.module), vars(self.module)
        tree = _Noted().visit(ast.parse(Path(file).read_bytes(), file))
        names.update({_NOTE: self.note, "__getattr__": self.find, "__dir__": self.names})
        try:
            exec(compile(tree, file, "exec", dont_inherit=True), names)
        finally:
            del names[_NOTE]

    def note(self, source: str, names: dict[str, str]) -> None:
        """Note one import, as when it is done: a later one of the same name takes its place."""
        if source:
            self.parts.add(source.partition(".")[0])
        if "*" in names:
            names = {name: name for name in _public(self.module, source)}
        for name, there in names.items():
            self.imports[name] = (source, there)
            vars(self.module).pop(name, None)

    def find(self, name: str) -> Any:
        """``__getattr__`` of the package."""
        package = self.module.__name__
        if name in self.imports:
            source, there = self.imports[name]
            value = _taken_from(f"{package}.{source}" if source else package, there)
        elif name == "__all__":
            return [name for name in (*vars(self.module), *self.imports, *self.parts) if not name.startswith("_")]
        elif not name.startswith("__") and importlib.util.find_spec(f"{package}.{name}") is not None:
            return self._part(name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(self.module, name, value)
        return value

    def _part(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(f"{self.module.__name__}.{name}")
        except ImportError as error:  # then no import of the package has ever made it an attribute
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}") from error

    def names(self) -> list[str]:
        """``__dir__`` of the package."""
        return sorted({*vars(self.module), *self.imports, *self.parts})


def _taken_from(source: str, name: str) -> Any:
    """What ``from source import name`` gives."""
    module = importlib.import_module(source)
    if name in vars(module):
        return vars(module)[name]
    try:
        return importlib.import_module(f"{source}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{source}.{name}":
            raise
        return getattr(module, name)


def _public(package: ModuleType, source: str) -> list[str]:
    """What ``from .source import *`` takes: read from the files, or, where they do not tell, by importing it."""
    found = _public_in_file(Path(package.__path__[0], *source.split(".")))
    if found is None:
        values = vars(importlib.import_module(f"{package.__name__}.{source}"))
        found = values.get("__all__") or [name for name in values if not name.startswith("_")]
    return found


def _public_in_file(path: Path) -> list[str] | None:
    """The public names of the module at a path without its suffix, or None if they cannot be read there."""
    file = path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")
    text = file.read_text(encoding="utf-8")
    listed = _ALL.findall(text)
    if listed:
        return ast.literal_eval(listed[0]) if text.count("__all__") == 1 else None
    if not path.is_dir():
        return None
    found: list[str] = []
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.ImportFrom) or statement.level != 1 or not statement.module:
            return None
        names: list[str] | None = [alias.asname or alias.name for alias in statement.names]
        if names == ["*"]:
            names = _public_in_file(path.joinpath(*statement.module.split(".")))
        if names is None:
            return None
        found += [statement.module.partition(".")[0], *names]
    return [name for name in found if not name.startswith("_")]


class _Peft(LazyPackage):
    """mindone.peft, of which what asks for every model waits. The other modules import each other in a circle, into
    which `peft_model` is the way."""

    def note(self, source: str, names: dict[str, str]) -> None:
        super().note(source, names)
        if source == "auto":
            self.find("peft_model")
        elif source != "mapping_func":
            for name in names:
                self.find(name)


def _lazily(kind: type[LazyPackage]) -> Callable[[Run], Run]:
    return lambda run: lambda module: kind(module).run()


lazily = _lazily(LazyPackage)
peft_lazily = _lazily(_Peft)
