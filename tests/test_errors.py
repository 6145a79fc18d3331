"""Warnings that point to the user's line."""

import functools
import types
import warnings

import pytest

from mindone_tcd.errors import UsageError, UsageWarning, first_line, shown, some, warn_user


def in_module(name, source, **names):
    module = types.ModuleType(name)
    module.__dict__.update(names)
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    (warning,) = found
    return warning


LIBRARY = in_module("mindone.diffusers.loaders", "def load(*args):\n    return warn('m', *args)\n", warn=warn_user)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_it_points_to_the_innermost_line_outside_the_libraries(depth):
    load = LIBRARY.load
    for k in range(depth):
        load = in_module(f"mindone_tcd.checks.m{k}", "def call():\n    return inner()\n", inner=load).call
    warning = caught(load)
    assert warning.filename == __file__
    assert warning.category is UsageWarning
    assert str(warning.message) == "m"


def test_frames_of_the_standard_library_between_are_skipped():
    cached = functools.lru_cache(LIBRARY.load)
    assert caught(cached).filename == __file__


def test_without_a_user_it_points_to_the_outermost_frame():
    names = {"__name__": "mindone_tcd.cli", "warn": warn_user}
    program = "import threading\n\ndef run():\n    warn('m')\n\nt = threading.Thread(target=run)\nt.start()\nt.join()\n"
    warning = caught(lambda: exec(compile(program, "program.py", "exec"), names))
    assert warning.filename.endswith("threading.py")


def test_a_warning_keeps_its_class():
    class Special(UsageWarning):
        pass

    assert caught(lambda: warn_user(Special("text"))).category is Special
    assert caught(lambda: warn_user("text", DeprecationWarning)).category is DeprecationWarning


def test_the_same_line_warns_once_by_default():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for _ in range(2):
            LIBRARY.load()
    assert len(found) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb\x1b", r"'a\nb\x1b'"),
        ("x" * 11, "'xxxxxxxxxx…'"),
        ("\n" * 11, r"'\n\n\n\n\…"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, …"),
        pytest.param(10**100, "an integer of more than 100 digits", id="101 digits"),
        pytest.param(-(10**5000), "an integer of more than 100 digits", id="5000 digits"),
        (None, "None"),
    ],
)
def test_shown(value, text):
    assert shown(value, 10) == text


def test_wrong_input_is_a_value_error():
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one"), "one"),
        (ValueError("\n\n one\ntwo"), "one"),
        (ValueError("one\r\ntwo"), "one"),
        (ValueError(), "ValueError"),
        (OSError(" \n "), "OSError"),
        (KeyError("a"), "'a'"),
    ],
)
def test_the_first_line_of_an_error(error, line):
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("items", "examples", "text"),
    [
        ([], 3, ""),
        (["a"], 3, "a"),
        (["a", "b", "c"], 3, "a, b, c"),
        (["a", "b", "c", "d"], 3, "a, b, c, …"),
        (("a", "b"), 1, "a, …"),
    ],
)
def test_a_few_of_a_list(items, examples, text):
    assert some(items, examples) == text


def test_three_examples_by_default():
    assert some(list("abcd")) == "a, b, c, …"
