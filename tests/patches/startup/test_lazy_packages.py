"""Lazy packages of mindone have the same names and classes as the original packages."""

import json
import subprocess
import sys

import pytest

from .. import fresh

pytestmark = pytest.mark.slow

LITTLE = """
def models():
    return sorted({name.split(".")[3] for name in sys.modules if name.startswith("mindone.transformers.models.")})
import mindone.transformers.models
print(models())
from mindone.transformers import CLIPTextModel
print(models())
from mindone.peft import LoraConfig, inject_adapter_in_model
print("mindone.peft.auto" in sys.modules)
for code in ("mindone.transformers.Unknown", "exec('from mindone.transformers import Unknown')"):
    try:
        eval(code)
    except (AttributeError, ImportError) as error:
        print(type(error).__name__, error)
print(hasattr(mindone.transformers, "Unknown"), hasattr(mindone.transformers.models, "unknown"))
from mindone.transformers.generation import *
print(sorted(name for name in globals() if name[0] != "_" and name != "mindone_tcd"))
"""


@pytest.fixture(scope="module")
def printed():
    return fresh.run(LITTLE)[-7:]


@pytest.fixture(scope="module")
def expected():
    return fresh.run(LITTLE, patched=False)[-7:]  # mindone prints while it imports all models


def test_the_models_package_alone_imports_no_model(printed):
    assert printed[0] == "[]"


def test_a_text_encoder_imports_only_its_model(printed):
    assert printed[1] == "['clip']"


def test_peft_imports_no_language_models(printed):
    assert printed[2] == "False"


def test_an_unknown_name_is_the_same_error(printed, expected):
    assert expected[3] == "AttributeError module 'mindone.transformers' has no attribute 'Unknown'"
    assert printed[3:6] == expected[3:6]


def test_import_star_imports_the_same_names(printed, expected):
    assert len(expected[6].split()) > 50
    assert printed[6] == expected[6]


DESCRIBED = """
import importlib, json, types
def described(value):
    if isinstance(value, types.ModuleType):
        return value.__name__
    return [getattr(value, "__module__", None), getattr(value, "__qualname__", None) or type(value).__name__]
"""

EAGER = """
found = {}
for package in ("mindone", "mindone.peft", "mindone.transformers", "mindone.transformers.generation",
                "mindone.transformers.models", "mindone.transformers.models.auto",
                "mindone.diffusers.models.transformers"):
    names = vars(importlib.import_module(package))
    found[package] = {name: described(value) for name, value in names.items() if not name.startswith("_")}
print(json.dumps(found))
"""

LAZY = """
found = {}
for package, names in WANTED.items():
    module = importlib.import_module(package)
    listed = dir(module)
    found[package] = {name: described(getattr(module, name)) for name in sorted(names, reverse=True)}
    unlisted = [name for name in set(names) - set(listed) if not isinstance(getattr(module, name), types.ModuleType)]
    if unlisted:
        found[package]["not in dir"] = sorted(unlisted)
print(json.dumps(found))
"""


def test_every_name_exists_and_does_not_depend_on_the_order():
    eager = json.loads(fresh.run(DESCRIBED + EAGER, patched=False)[-1])
    assert sum(map(len, eager.values())) > 2000
    wanted = {package: list(names) for package, names in eager.items()}
    assert json.loads(fresh.run(DESCRIBED + LAZY.replace("WANTED", repr(wanted)))[-1]) == eager


@pytest.mark.parametrize("module", ["mindone.transformers.models.clip.modeling_clip", "mindone.peft.mapping"])
def test_a_submodule_can_be_imported_first(module):
    assert fresh.run(f"import {module}\nprint({module}.__name__)")[-1] == module


def test_earlier_imports_do_not_change():
    code = """
import mindone.transformers
before = mindone.transformers.CLIPTextModel
from mindone_tcd import patches
patches.install(["startup"])
from mindone.transformers import CLIPTextModel
import mindone.transformers as package
print(CLIPTextModel is before, "__getattr__" in vars(package))
"""
    assert fresh.run(code, patched=False)[-1] == "True False"


def test_nothing_more_is_printed_than_before():
    code = "import sys, mindone_tcd; from mindone.transformers import CLIPModel"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout == ""
    assert [line for line in ran.stderr.splitlines() if not line.startswith("None of PyTorch")] == []
