"""The graph form that `compile` asks for."""

import pytest

from mindone_tcd.compiled.forms import FORMS, form_of
from mindone_tcd.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "form"),
    [(True, "step"), (False, None), (None, None), ("step", "step"), ("trajectory", "trajectory")],
)
def test_forms(asked, form):
    assert form_of(asked) == form
    assert FORMS == ("step", "trajectory")


@pytest.mark.parametrize("asked", ["", "steps", 1, 0, ["step"], 2.0])
def test_anything_else_is_refused(asked):
    with pytest.raises(UsageError) as caught:
        form_of(asked)
    assert str(caught.value) == f"compile is {asked!r}; expected True, False or one of: step, trajectory"
