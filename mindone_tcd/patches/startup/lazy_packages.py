"""Make packages of mindone import their names at the first lookup.

mindone.transformers imports about 330 models, but a pipeline needs two. This module runs a package's ``__init__.py`` so
that each relative import is recorded instead of executed, in the original order and under the original conditions. The
first lookup of a name then imports it. The names and their modules come only from mindone's source.
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

_RECORD = "_record_import"
_ALL = re.compile(r"^__all__ = (\[[^\]]*\])", re.MULTILINE)


class _RecordImports(ast.NodeTransformer):
    """Replace the relative imports outside functions and classes by calls that record them."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if node.level != 1:
            return node
        names = {alias.asname or alias.name: alias.name for alias in node.names}
        call = ast.parse(f"{_RECORD}({node.module or ''!r}, {names!r})").body[0]
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def _leave(self, node: ast.stmt) -> ast.stmt:
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Try = _leave


class LazyPackage:
    """The recorded imports of a package's ``__init__.py``.

    Attributes:
        module: the package.
        imports: for each name, the module that defines it, relative to the package, and its name in that module.
        parts: the package's submodules that its imports name; they are also attributes of the package.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.imports: dict[str, tuple[str, str]] = {}
        self.parts: set[str] = set()

    def run(self) -> None:
        """Run the package's file and record its imports. The package then looks up their names."""
        file, names = file_of(self.module), vars(self.module)
        tree = _RecordImports().visit(ast.parse(Path(file).read_bytes(), file))
        names.update({_RECORD: self.record, "__getattr__": self.find, "__dir__": self.names})
        try:
            exec(compile(tree, file, "exec", dont_inherit=True), names)
        finally:
            del names[_RECORD]

    def record(self, source: str, names: dict[str, str]) -> None:
        """Record an import. As in an executed import, a later import of the same name overwrites it.

        Args:
            source: the module, relative to the package; empty for the package itself.
            names: for each name in the package, its name in the module. ``*`` imports all public names.
        """
        if source:
            self.parts.add(source.partition(".")[0])
        if "*" in names:
            names = {name: name for name in _public(self.module, source)}
        for name, there in names.items():
            self.imports[name] = (source, there)
            vars(self.module).pop(name, None)

    def find(self, name: str) -> Any:
        """Return an attribute, as the package's ``__getattr__``.

        Raises:
            AttributeError: if the package has no such name.
        """
        package = self.module.__name__
        if name in self.imports:
            source, there = self.imports[name]
            value = _imported_from(f"{package}.{source}" if source else package, there)
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
        except ImportError as error:  # then the package does not import it either
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}") from error

    def names(self) -> list[str]:
        """Return the names of all attributes, as the package's ``__dir__``."""
        return sorted({*vars(self.module), *self.imports, *self.parts})


def _imported_from(source: str, name: str) -> Any:
    """Return the result of ``from source import name``."""
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
    """Return the names of ``from .source import *``, read from the files, or, if that is impossible, by an import."""
    found = _public_in_file(Path(package.__path__[0], *source.split(".")))
    if found is None:
        values = vars(importlib.import_module(f"{package.__name__}.{source}"))
        found = values.get("__all__") or [name for name in values if not name.startswith("_")]
    return found


def _public_in_file(path: Path) -> list[str] | None:
    """Return the public names of the module at a path without its suffix; None if the files do not list them."""
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
    """mindone.peft: only the names whose modules import all models are imported late.

    The other modules import each other in a circle. The order of imports that works starts with `peft_model`.
    """

    def record(self, source: str, names: dict[str, str]) -> None:
        super().record(source, names)
        if source == "auto":
            self.find("peft_model")
        elif source != "mapping_func":
            for name in names:
                self.find(name)


def _lazily(kind: type[LazyPackage]) -> Callable[[Run], Run]:
    return lambda run: lambda module: kind(module).run()


lazily = _lazily(LazyPackage)
peft_lazily = _lazily(_Peft)
