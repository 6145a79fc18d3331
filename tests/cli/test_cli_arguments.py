"""The types of the command's arguments, and its one-line errors."""

import argparse

import pytest

from mindone_tcd.cli.arguments import Parser, integer, number, size


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (integer, "12", 12),
        (integer, "-3", -3),
        (number, "0.5", 0.5),
        (number, "1e-3", 0.001),
        (size, "128", (128, 128)),
        (size, "192x128", (192, 128)),
        (size, "192X128", (192, 128)),
    ],
)
def test_texts_that_fit(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (integer, "1.5", "'1.5' is not an integer"),
        (integer, "", "'' is not an integer"),
        (integer, "9" * 101, "a number of 101 characters; at most 100 are possible"),
        (number, "half", "'half' is not a number"),
        (size, "-128", "'-128' is not a size; write 128, or 192x128 for width x height"),
        (size, "128x", "'128x' is not a size"),
        (size, "1x2x3", "'1x2x3' is not a size"),
    ],
)
def test_texts_that_do_not(kind, text, message):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        kind(text)
    assert str(caught.value).startswith(message)


def test_an_error_is_one_line_with_exit_code_2(capsys):
    parser = Parser(prog="tool")
    parser.add_argument("--size", type=size)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--size", "big"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tool: error: argument --size: 'big' is not a size; ")
    assert line.endswith(" (see tool --help)")
