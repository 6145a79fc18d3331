"""Names that modules imported from a changed module get the new object, and no others do."""

import sys
from types import ModuleType

import pytest

from mindone_tcd.patching.copies import exchange_copies


def old():
    pass


def new():
    pass


def other():
    pass


@pytest.fixture
def module(monkeypatch):
    """Adds a module with these names to those that are loaded."""

    def add(name, **names):
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    return add


def test_copies_are_exchanged_under_any_name(module):
    user = module("mindone.user", old=old, mine=old, other=other)
    exchange_copies([("old", old, new)])
    assert (user.old, user.mine, user.other) == (new, new, other)


def test_modules_of_other_packages_keep_theirs(module):
    others = [module(name, old=old) for name in ("numpy_user", "mindspore.ops_user", "mindonex", "mindone_tcd_user")]
    exchange_copies([("old", old, new)])
    assert [each.old for each in others] == [old] * 4


def test_the_prefixes_can_be_given(module):
    mine, mindones = module("numpy_user", old=old), module("mindone.user", old=old)
    exchange_copies([("old", old, new)], prefixes=("numpy_",))
    assert (mine.old, mindones.old) == (new, old)


def test_a_class_stays_where_it_is_defined(module):
    cls = type("Linear", (), {"__module__": "mindone.home"})
    home, user = module("mindone.home", Linear=cls), module("mindone.user", Linear=cls)
    exchange_copies([("Linear", cls, new)])
    assert (home.Linear, user.Linear) == (cls, new)


def test_a_module_gets_the_object_of_the_same_name_or_the_first(module):
    user = module("mindone.user", second=old, alias=old)
    exchange_copies([("first", old, new), ("second", old, other)])
    assert (user.second, user.alias) == (other, new)


def test_what_is_no_function_or_class_is_never_exchanged(module):
    value = object()
    user = module("mindone.user", value=value, old=old)
    exchange_copies([("value", value, new), ("old", old, new)])
    assert (user.value, user.old) == (value, new)


def test_what_is_no_module_is_passed_over(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "mindone.absent", None)
    user = module("mindone.user", old=old)
    exchange_copies([("old", old, new)])
    assert user.old is new
