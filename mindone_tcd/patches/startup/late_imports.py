"""Import libraries when code first uses them.

If only functions of a module use a library, the module runs with the import moved into these functions. The parts of
scipy that the schedulers import run when one of their attributes is first accessed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

Run = Callable[[ModuleType], None]
"""A function that runs a module's file, and so defines the module's names."""


def late(*sources: str) -> Callable[[Run], Run]:
    """Return a maker that runs a module with some imports moved into the functions that use them.

    If the module needs an imported name while it runs (for a base class or a default), that import stays where it is.

    Args:
        sources: the imported modules, as the file spells them, such as "scipy.optimize" or "..schedulers".
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
    """Parse the source of a module that has not run yet."""
    file = file_of(module)
    return ast.parse(Path(file).read_bytes(), file)


def run_tree(module: ModuleType, tree: ast.Module, moved: dict[str, ast.stmt]) -> None:
    """Run a module from its changed source. The names of moved imports remain attributes of the module."""
    if moved:
        vars(module)["__getattr__"] = _finder(module, moved)
    run_in(module, tree.body)


def run_in(module: ModuleType, statements: list[ast.stmt]) -> None:
    """Run statements of a module's source in the module's namespace."""
    tree = ast.fix_missing_locations(ast.Module(statements, type_ignores=[]))
    exec(compile(tree, file_of(module), "exec", dont_inherit=True), vars(module))


def move_imports(tree: ast.Module, sources: Collection[str]) -> dict[str, ast.stmt]:
    """Move imports from the module level into the functions that use the imported names.

    Args:
        tree: the parsed module; it is changed.
        sources: the imported modules, as the file spells them.

    Returns:
        the statement that imports each moved name, inside the ``if`` statements that enclosed it.
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
        names = _imported_names(statement, sources)
        if not names or needed & set(names):
            left.append(statement)
            continue
        for test in reversed(tests):
            statement = ast.copy_location(ast.If(test, [statement], []), statement)
        moved.update(dict.fromkeys(names, statement))
        left.append(ast.copy_location(ast.Pass(), statement))
    return left


def _imported_names(statement: ast.stmt, sources: Collection[str]) -> list[str]:
    """Return the names that a statement imports from one of the sources."""
    if isinstance(statement, ast.ImportFrom):
        modules = {"." * statement.level + (statement.module or "")}
    elif isinstance(statement, ast.Import):
        modules = {alias.name for alias in statement.names}
    else:
        return []
    names = [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    return names if modules <= set(sources) else []


def _functions(body: Iterable[ast.stmt]) -> Iterable[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions of a module and the methods of its classes."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        elif isinstance(statement, ast.ClassDef | ast.If):
            yield from _functions([*statement.body, *getattr(statement, "orelse", [])])


def _names_outside_functions(tree: ast.Module) -> Iterable[str]:
    """Return the names that are looked up while a module runs: all except those in the bodies of functions."""
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
    """Wrap the execution of a module: run it when one of its attributes is first accessed, not when it is imported."""

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
