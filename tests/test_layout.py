"""The order of the packages, and the test file of each module."""

import ast
import graphlib
from pathlib import Path
from typing import NamedTuple

import pytest
from scripts import write_files

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "mindone_tcd"

ORDER = (
    ("utils",),
    ("mindone_tcd",),  # __init__.py
    ("cli",),
    ("compare", "demo", "selftest"),
    ("generate",),
    ("checks",),
    ("deploy",),
    ("adapters", "compiled"),
    ("quantize",),
    ("cpu",),
    ("patches",),
    ("transaction", "exports", "lora_layers", "patching", "tiny_models"),
    ("concurrency", "files"),
    ("schedulers", "shapes"),
    ("random", "environment", "quiet", "storage"),
    ("errors", "version"),
)
"""The packages and top-level modules, from the top to the bottom. Each imports only from the lines below its own."""

_NAMES = "test_names.py", "it only exports the names of other modules"
_KERNELS = "cpu/test_kernels.py", "each kernel of the table is compared with NumPy there"
_TABS = "demo/test_app.py", "the tabs are tested through the API of a running demo"
_COMMAND = "cli/test_cli.py", "the commands are tested as a user calls them"
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {
    "__init__.py": _NAMES,
    "utils.py": _NAMES,
    "schedulers/__init__.py": _NAMES,
    "adapters/wrappers.py": ("adapters/test_lora.py", "it connects the loaders with mindone's pipelines"),
    "transaction.py": ("adapters/test_transaction.py", "the tests use the tiny pipelines of the adapters' tests"),
    "cli/compare.py": ("cli/test_compare_command.py", "the command is tested as a user calls it"),
    "demo/options.py": ("demo/test_offers.py", "it is only data, which the offers use"),
    "demo/theme.py": ("demo/test_demo_in_browser.py", "the look of the page is tested in a browser"),
    "demo/tabs/animate.py": _TABS,
    "demo/tabs/controlnet.py": _TABS,
    "demo/tabs/image_to_image.py": _TABS,
    "demo/tabs/inpainting.py": _TABS,
    "demo/tabs/text_to_image.py": _TABS,
    "cli/export.py": ("generate/test_exporting.py", "the command and the function are tested together"),
    "cli/generate.py": _COMMAND,
    "cli/info.py": _COMMAND,
    "cli/pipeline.py": _COMMAND,
    "cli/selftest.py": _COMMAND,
    "selftest/cases.py": ("selftest/test_selftest.py", "the cases are the selftest's data"),
    "selftest/run.py": ("selftest/test_selftest.py", "the file is the whole selftest's"),
    "compiled/pipeline.py": ("compiled/test_compiled_pipelines.py", "most tests compile several pipelines"),
    "schedulers/tcd_table.py": ("schedulers/test_coefficients.py", "the tables of both samplers are tested together"),
    "schedulers/lcm_table.py": ("schedulers/test_coefficients.py", "the tables of both samplers are tested together"),
    "deploy/writing.py": ("deploy/test_pipeline.py", "what it writes is run there"),
    "schedulers/base.py": ("schedulers/test_trajectory.py", "TCD and LCM, the two subclasses, are compared there"),
    "cpu/arguments.py": ("cpu/test_refusals.py", "the kernels use it to refuse arguments"),
    "cpu/attention.py": ("cpu/test_mindone_functions.py", "it replaces functions of mindone"),
    "cpu/residual.py": ("cpu/test_mindone_functions.py", "it replaces functions of mindone"),
    "cpu/lora.py": ("cpu/test_lora_layers.py", "it replaces the methods of LoRA layers"),
    "cpu/activation.py": _KERNELS,
    "cpu/convolution.py": _KERNELS,
    "cpu/linear.py": _KERNELS,
    "cpu/lookup.py": _KERNELS,
    "cpu/loss.py": _KERNELS,
    "cpu/normalization.py": _KERNELS,
    "cpu/ordering.py": _KERNELS,
    "cpu/reduction.py": _KERNELS,
    "cpu/resize.py": _KERNELS,
    "cpu/shape.py": _KERNELS,
}
"""For a module without a test file of its name: the file that tests it, and why it is there."""


class Import(NamedTuple):
    """One import statement's module, and where the statement is."""

    importer: str
    imported: str
    place: str


def modules_of(package: Path) -> dict[str, Path]:
    """The files of a package by their dotted names."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(package: Path) -> list[Import]:
    """The imports of a package's modules from each other, also those within functions."""
    modules, found = modules_of(package), []
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = path.relative_to(package.parent).parts[: -node.level]
                    base = ".".join([*parents, *filter(None, [node.module])])
                names = [f"{base}.{alias.name}" for alias in node.names]
                targets = [inner if inner in modules else base for inner in names]
            else:
                continue
            place = f"{path.relative_to(package.parent).as_posix()}:{node.lineno}"
            found += [Import(name, target, place) for target in dict.fromkeys(targets) if target in modules]
    return found


def unit(module: str) -> str:
    """The package or top-level module below the root that a module is in."""
    return [*module.split("."), module][1]


def upward(imports: list[Import], order: tuple[tuple[str, ...], ...]) -> list[str]:
    """What is wrong with the imports that do not go down in the order."""
    level = {name: number for number, line in enumerate(order) for name in line}
    faults = []
    for found in imports:
        importer, imported = unit(found.importer), unit(found.imported)
        for name in {importer, imported} - level.keys():
            faults.append(f"{name} is not in ORDER; add it there, below all that import it")
        if importer != imported and level.get(importer, -1) >= level.get(imported, len(order)):
            faults.append(
                f"{found.place}: {importer} imports {found.imported}, which is not below it in ORDER; move the code "
                f"that both need further down, or hand it over as an argument"
            )
    return list(dict.fromkeys(faults))


def cycle(edges: set[tuple[str, str]]) -> str | None:
    """The first cycle in a graph, as a text; None if there is none."""
    graph = graphlib.TopologicalSorter()
    for importer, imported in edges:
        graph.add(importer, imported)
    try:
        graph.prepare()
    except graphlib.CycleError as error:
        return " is imported by ".join(error.args[1])
    return None


@pytest.fixture(scope="module")
def imports():
    return imports_of(PACKAGE)


def test_imports_go_down(imports):
    faults = upward(imports, ORDER)
    assert not faults, "\n".join(faults)


def test_the_order_names_what_there_is():
    there = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    there -= {path.name for path in PACKAGE.iterdir() if path.is_dir() and not (path / "__init__.py").exists()}
    there = {name for name in there if f"mindone_tcd.{name}" in modules_of(PACKAGE)} | {"mindone_tcd"}
    named = [name for line in ORDER for name in line]
    assert sorted(named) == sorted(there), "ORDER should name each package and top-level module once"


def test_packages_have_no_cycle(imports):
    units = {(unit(found.importer), unit(found.imported)) for found in imports}
    found = cycle({(importer, imported) for importer, imported in units if importer != imported})
    assert found is None, f"{found}: move the code that both need to a module of its own"


def test_an_upward_import_and_a_cycle_are_found(tmp_path):
    root = tmp_path / "made"
    files = {
        "__init__.py": "",
        "low.py": "def late():\n    from .high import inner\n",
        "high/__init__.py": "import json\n",
        "high/inner.py": "from .. import low as other\nfrom . import other_inner\n",
        "high/other_inner.py": "import made.low\n",
    }
    write_files(root, files)
    found = imports_of(root)
    assert set(found) == {
        Import("made.low", "made.high.inner", "made/low.py:2"),
        Import("made.high.inner", "made.low", "made/high/inner.py:1"),
        Import("made.high.inner", "made.high.other_inner", "made/high/inner.py:2"),
        Import("made.high.other_inner", "made.low", "made/high/other_inner.py:1"),
    }
    (fault,) = upward(found, (("high",), ("low",)))
    assert fault.startswith("made/low.py:2: low imports made.high.inner, which is not below it")
    assert any("high is not in ORDER" in fault for fault in upward(found, (("low",),)))
    assert cycle({(a, b) for a, b, _ in found}) is not None
    assert cycle({(a, b) for a, b, _ in found if a != "made.low"}) is None


def has_logic(path: Path) -> bool:
    kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_files_of(module: Path) -> list[Path]:
    """Where the tests of a module may be. The package is part of the name if another folder has the short name."""
    inner = module.relative_to(PACKAGE)
    if inner.name == "__init__.py":
        name = module.parent.name
        return [TESTS / inner.parent / f"test_{name}.py", TESTS / inner.parent.parent / f"test_{name}.py"]
    folder = TESTS / inner.parent
    return [folder / f"test_{inner.stem}.py", folder / f"test_{inner.parent.name}_{inner.stem}.py"]


test_files_of.__test__ = False


@pytest.mark.parametrize("inner", [path.relative_to(PACKAGE).as_posix() for path in modules_of(PACKAGE).values()])
def test_each_module_has_a_test_file(inner):
    path = PACKAGE / inner
    own = [file for file in test_files_of(path) if file.is_file()]
    if own or not has_logic(path):
        assert inner not in TESTED_ELSEWHERE, f"take {inner} out of TESTED_ELSEWHERE: it needs no entry"
    else:
        wanted = test_files_of(path)[0].relative_to(TESTS.parent).as_posix()
        assert inner in TESTED_ELSEWHERE, (
            f"mindone_tcd/{inner} has no test file; add {wanted}, or an entry in TESTED_ELSEWHERE of {__file__}"
        )


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_the_exceptions_are_true(module):
    assert (PACKAGE / module).is_file(), f"there is no {module}; take it out of TESTED_ELSEWHERE"
    file, reason = TESTED_ELSEWHERE[module]
    assert (TESTS / file).is_file(), f"tests/{file} is gone; what tests {module} now?"
    assert reason
