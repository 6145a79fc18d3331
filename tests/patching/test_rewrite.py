"""Functions from changed source code."""

import functools
import inspect
import textwrap

import pytest

from mindone_tcd.patching.patch import PatchError
from mindone_tcd.patching.rewrite import function_from, rewrite
from mindone_tcd.transaction import all_or_nothing


def double(value):
    return value * 2


class Holder:
    def triple(self, value):
        return value * 3


def test_every_match_is_replaced():
    changed = rewrite(double, r"\* 2", "* 5", "with another factor")
    assert (changed(1), double(1)) == (5, 2)
    assert (changed.__name__, changed.__module__) == ("double", __name__)
    assert "* 5" in inspect.getsource(changed)  # graph mode reads it


def test_a_method_is_dedented():
    changed = rewrite(Holder.triple, r"\* 3", "* 7", "with another factor")
    assert changed(None, 1) == 7
    assert changed.__qualname__ == "Holder.triple"


def test_a_copy_can_be_rewritten():
    once = rewrite(double, r"\* 2", "* 5", "once")
    assert rewrite(once, r"\* 5", "* 6", "twice")(1) == 6


def test_no_match_is_an_error():
    with pytest.raises(PatchError, match="double has nothing that matches"):
        rewrite(double, r"\* 3", "* 5", "")


def test_a_wrapper_of_this_package_is_an_error():
    """Python returns the source of the inner function, so the wrapper would be lost."""
    with pytest.raises(PatchError, match="is a wrapper"):
        rewrite(all_or_nothing(Holder.triple), r"\* 3", "* 5", "")


def test_a_decorated_function_of_another_package_keeps_its_decorator():
    source = """
    @twice
    def one():
        return 1
    """

    def twice(function):
        return functools.wraps(function)(lambda: function() * 2)

    made = function_from(textwrap.dedent(source), "one", {"twice": twice}, "decorated")
    assert made() == 2
