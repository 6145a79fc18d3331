"""The class for wrong input, and the helpers of its messages."""

import pytest

from mindone_tcd.errors import UsageError, first_line, some


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
