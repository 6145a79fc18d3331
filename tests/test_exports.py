"""The names of mindone, without mindone."""

import sys
from types import ModuleType

import pytest

from mindone_tcd import environment, exports
from mindone_tcd.errors import UsageError


def test_each_name_is_listed_once():
    names = [name for text in exports._NAMES.values() for name in text.split()]
    assert len(names) == len(set(names)) == len(exports.MODULES)
    assert all(name.isidentifier() for name in names)
    assert exports.MODULES["load_image"] == "mindone.diffusers.utils"
    assert exports.MODULES["CLIPTextModel"] == "mindone.transformers"


@pytest.fixture
def checked(monkeypatch):
    calls = []
    monkeypatch.setattr(environment, "require_mindspore", lambda: calls.append(True))
    return calls


def test_a_name_comes_from_its_module_each_time(checked, monkeypatch):
    module = ModuleType("made_mindone")
    monkeypatch.setitem(sys.modules, "made_mindone", module)
    monkeypatch.setitem(exports.MODULES, "Made", "made_mindone")
    module.Made = first = object()
    assert exports.get("Made") is first
    module.Made = second = object()
    assert exports.get("Made") is second, "a patch may have replaced it since"
    assert checked == [True, True]


def test_a_name_that_is_not_listed(checked):
    with pytest.raises(KeyError, match="Nothing"):
        exports.get("Nothing")


def test_without_mindspore_nothing_is_imported(monkeypatch):
    def missing():
        raise UsageError("MindSpore is not installed")

    monkeypatch.setattr(environment, "require_mindspore", missing)
    monkeypatch.setattr(exports.importlib, "import_module", lambda name: pytest.fail("it was imported"))
    with pytest.raises(UsageError, match="not installed"):
        exports.get("UNet2DConditionModel")
