"""mindone_tcd exports every name of the guides, and each is mindone's own object."""

import ast
import importlib
from pathlib import Path

import pytest

import mindone_tcd
from mindone_tcd import schedulers, utils
from mindone_tcd.exports import MODULES

GUIDES = [
    "AnimateDiffPipeline",
    "AutoPipelineForImage2Image",
    "AutoPipelineForInpainting",
    "ControlNetModel",
    "DiffusionPipeline",
    "DPTForDepthEstimation",
    "LatentConsistencyModelImg2ImgPipeline",
    "LatentConsistencyModelPipeline",
    "LCMScheduler",
    "MotionAdapter",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionPipeline",
    "StableDiffusionXLAdapterPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLPipeline",
    "T2IAdapter",
    "TCDScheduler",
    "UNet2DConditionModel",
    "export_to_gif",
    "load_image",
    "make_image_grid",
]


def test_the_guides_names_are_public():
    assert set(GUIDES) <= set(mindone_tcd.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_an_exported_name_is_mindones_own(name):
    assert getattr(mindone_tcd, name) is getattr(importlib.import_module(MODULES[name]), name)


def test_helpers_have_the_module_name_of_diffusers():
    from mindone_tcd.utils import export_to_gif, load_image, make_image_grid

    helpers = mindone_tcd.export_to_gif, mindone_tcd.load_image, mindone_tcd.make_image_grid
    assert (export_to_gif, load_image, make_image_grid) == helpers
    with pytest.raises(ImportError, match="nonsense"):
        from mindone_tcd.utils import nonsense  # noqa: F401


def test_the_schedulers_are_those_of_mindone_tcd():
    from mindone_tcd import schedulers

    assert mindone_tcd.TCDScheduler is schedulers.TCDScheduler
    assert mindone_tcd.LCMScheduler is schedulers.LCMScheduler


def type_checking_imports(path, package):
    """What a file imports if TYPE_CHECKING: each import of a name, with the module that it comes from."""
    for block in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom):
                    name = "." * statement.level + (statement.module or "")
                    yield from ((importlib.import_module(name, package), alias) for alias in statement.names)


def imported_for_type_checkers(package):
    """The names that the module imports if TYPE_CHECKING, each with the object that the import gives."""
    names = {}
    for module, alias in type_checking_imports(Path(package.__file__), package.__package__):
        assert alias.asname == alias.name, f"{alias.name} is private to type checkers without `as {alias.name}`"
        assert alias.name not in names, f"{alias.name} is imported twice"
        names[alias.name] = getattr(module, alias.name)
    return names


@pytest.mark.parametrize(
    ("package", "public"),
    [(mindone_tcd, mindone_tcd.__all__), (schedulers, schedulers.__all__), (utils, dir(utils))],
    ids=["mindone_tcd", "schedulers", "utils"],
)
def test_type_checkers_see_the_public_names(package, public):
    seen = imported_for_type_checkers(package)
    assert sorted(seen) == sorted(public)
    assert [name for name, value in seen.items() if getattr(package, name) is not value] == []


@pytest.mark.parametrize("package", [mindone_tcd, schedulers, utils], ids=["mindone_tcd", "schedulers", "utils"])
def test_type_checkers_do_not_see_the_lookup(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    assert not [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == "__getattr__"]


def test_the_package_says_that_it_has_types():
    assert (Path(mindone_tcd.__file__).parent / "py.typed").is_file()


def test_what_type_checkers_import_exists():
    """mypy itself accepts every name of a package without types."""
    root = Path(mindone_tcd.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        package = ".".join(path.relative_to(root.parent).parent.parts)
        found += [(path, module, alias.name) for module, alias in type_checking_imports(path, package)]
    assert len(found) > 60
    assert [f"{path}: {module.__name__}.{name}" for path, module, name in found if not hasattr(module, name)] == []
