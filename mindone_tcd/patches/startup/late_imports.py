"""Libraries that are imported when they are first used.

A module that imports a library for one of its functions is run with that import moved into the function. The parts of
scipy that the schedulers import wait as a whole, until something is taken from them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

Run = Callable[[ModuleType], None]
"""What runs the file of a module, to fill it."""


def late(*sources: str) -> Callable[[Run], Run]:
    """Makes what runs a module with some of its imports moved into the functions that use them.

    An import of which a name is needed while the module runs (a base class, a default) stays where it is.

    Args:
        sources: the modules imported, as the file writes them: "scipy.optimize", "..schedulers".
    """

    def make(run: Run) -> Run:
        def run_with_late_imports(module: ModuleType) -> None:
            tree = parse(module)
            moved = move_imports(tree, sources)
            run_tree(module, tree, moved)

        return run_with_late_imports

    return make


def file_of(module: ModuleType) -> str:
    """The source file of a module that is about to run.

    Raises:
        ImportError: if the module has no file.
    """
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        raise ImportError(f"{module.__name__} has no file to run")
    return file


def parse(module: ModuleType) -> ast.Module:
    """The source of a module that is about to run."""
    file = file_of(module)
    return ast.parse(Path(file).read_bytes(), file)


def run_tree(module: ModuleType, tree: ast.Module, moved: dict[str, ast.stmt]) -> None:
    """Run a module from its changed source; the names that were moved can be taken from it as before."""
    if moved:
        vars(module)["__getattr__"] = _finder(module, moved)
    run_in(module, tree.body)


def run_in(module: ModuleType, statements: list[ast.stmt]) -> None:
    """Run statements of a module's source as the module's own."""
    tree = ast.fix_missing_locations(ast.Module(statements, type_ignores=[]))
    exec(compile(tree, file_of(module), "exec", dont_inherit=True), vars(module))


def move_imports(tree: ast.Module, sources: Collection[str]) -> dict[str, ast.stmt]:
    """Move imports outside functions into the functions that use what they bring.

    Returns:
        each name so moved, with the statement that brings it, under the conditions under which it stood.
    """
    needed = set(_names_outside_functions(tree))
    moved: dict[str, ast.stmt] = {}
    tree.body = _without_imports(tree.body, sources, needed, moved, [])
    for function in _functions(tree.body):
        used = {part.id for part in ast.walk(function) if isinstance(part, ast.Name)}
        imports = {id(statement): statement for name, statement in moved.items() if name in used}
        place = 0 if ast.get_docstring(function, clean=False) is None else 1
        function.body[place:place] = imports.values()
    return moved


def _without_imports(
    body: list[ast.stmt], sources: Collection[str], needed: set[str], moved: dict[str, ast.stmt], tests: list[ast.expr]
) -> list[ast.stmt]:
    left: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If):
            statement.body = _without_imports(statement.body, sources, needed, moved, [*tests, statement.test])
        names = _brought(statement, sources)
        if not names or needed & set(names):
            left.append(statement)
            continue
        for test in reversed(tests):
            statement = ast.copy_location(ast.If(test, [statement], []), statement)
        moved.update(dict.fromkeys(names, statement))
        left.append(ast.copy_location(ast.Pass(), statement))
    return left


def _brought(statement: ast.stmt, sources: Collection[str]) -> list[str]:
    """The names that a statement brings if it imports from one of the sources."""
    if isinstance(statement, ast.ImportFrom):
        modules = {"." * statement.level + (statement.module or "")}
    elif isinstance(statement, ast.Import):
        modules = {alias.name for alias in statement.names}
    else:
        return []
    names = [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    return names if modules <= set(sources) else []


def _functions(body: Iterable[ast.stmt]) -> Iterable[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module and the methods of its classes."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        elif isinstance(statement, ast.ClassDef | ast.If):
            yield from _functions([*statement.body, *getattr(statement, "orelse", [])])


def _names_outside_functions(tree: ast.Module) -> Iterable[str]:
    """The names that are looked up while a module runs: all but those in the bodies of its functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node.id
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for field, value in ast.iter_fields(node):
            if not (function and field == "body"):
                waiting += [
                    part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)
                ]


def _finder(module: ModuleType, moved: dict[str, ast.stmt]) -> Callable[[str], Any]:
    def find(name: str) -> Any:
        if name in moved and name not in vars(module):
            run_in(module, [moved[name]])
        if name in vars(module):
            return vars(module)[name]
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    return find


def when_used(run: Run) -> Run:
    """Runs a module when something is first taken from it, and not when it is imported."""

    def wait(module: ModuleType) -> None:
        def find(name: str) -> Any:
            if vars(module).get("__getattr__") is find:
                for own in ("__getattr__", "__dir__"):
                    del vars(module)[own]
                run(module)
            return getattr(module, name)

        def names() -> list[str]:
            find("__doc__")
            return dir(module)

        vars(module).update({"__getattr__": find, "__dir__": names})

    return wait


late_transformers = late("transformers")
late_scipy_optimize = late("scipy.optimize")
