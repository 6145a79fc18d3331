"""Checks of single numbers."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from mindone_tcd.schedulers.arguments import fraction, integer, is_real, positive


@pytest.mark.parametrize("value", [0, 3, -2, np.int64(3), np.uint8(3)])
def test_integers(value):
    result = integer(value, "steps")
    assert result == value
    assert type(result) is int


@pytest.mark.parametrize("value", [True, False, np.True_, 1.0, "1", None, np.float32(1), [1]])
def test_what_is_no_integer(value):
    with pytest.raises(ValueError, match=r"^steps is .*; expected an integer$"):
        integer(value, "steps")


def test_the_least_integer():
    assert integer(2, "steps", 2) == 2
    for value in (1, 2.0, True):
        with pytest.raises(ValueError, match=rf"^steps is {value}; expected an integer of at least 2$"):
            integer(value, "steps", 2)


@pytest.mark.parametrize("value", [0, -1.5, np.float32(1), np.int8(1), Fraction(1, 2), float("nan")])
def test_real_numbers(value):
    assert is_real(value)


@pytest.mark.parametrize("value", [True, np.False_, "1", None, 1j, Decimal(1), [1.0]])
def test_what_is_no_real_number(value):
    assert not is_real(value)


@pytest.mark.parametrize("value", [0.5, 1, 1e-9, np.float32(0.25), Fraction(1, 2)])
def test_fractions(value):
    for zero in (True, False):
        result = fraction(value, "eta", zero)
        assert result == value
        assert type(result) is float


def test_zero_counts_on_request():
    assert fraction(0, "eta", zero=True) == 0.0
    with pytest.raises(ValueError, match=r"^strength is 0; expected a number within \(0, 1\]$"):
        fraction(0, "strength", zero=False)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_what_is_no_fraction(value):
    with pytest.raises(ValueError, match=r"^eta is .*; expected a number within \[0, 1\]$"):
        fraction(value, "eta", zero=True)


@pytest.mark.parametrize("value", [1e-9, 3, np.float64(2)])
def test_positive_numbers(value):
    result = positive(value, "scale")
    assert result == value
    assert type(result) is float


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "1", None])
def test_what_is_not_positive(value):
    with pytest.raises(ValueError, match=r"^scale is .*; expected a number above 0$"):
        positive(value, "scale")
