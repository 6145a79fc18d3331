import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.quantize.kinds import kind_of


def test_kinds():
    assert kind_of(None) is None
    assert kind_of("int8") == "int8"


@pytest.mark.parametrize("value", ["int4", "", True, 8, ["int8"]])
def test_other_values_are_refused(value):
    with pytest.raises(UsageError, match=r"unknown quantize .*; choose one of: int8, or leave it out"):
        kind_of(value)
