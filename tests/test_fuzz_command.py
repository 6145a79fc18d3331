"""A short form of ``python tools/fuzz.py``: bad input is accepted or refused in one line, without side effects."""

import sys

import pytest
from scripts import script

from mindone_tcd import UsageError


@pytest.fixture(scope="module")
def fuzz():
    before = list(sys.path)
    yield script("tools/fuzz.py")
    sys.path[:] = before


def test_bad_input_is_accepted_or_refused(fuzz, capsys):
    families = [name for name in fuzz.families.FAMILIES if name not in fuzz.families.SLOW]
    options = [option for name in families for option in ("--family", name)]
    status = fuzz.main(["--count", "240", "--seed", "3", *options])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert printed.splitlines()[-1] == "240 inputs, 0 faults"
    assert all(f"{name:12} refused" in printed for name in families), printed


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (lambda fuzz: None, "taken"),
        (lambda fuzz: fuzz.raise_(UsageError("one line")), "refused"),
        (lambda fuzz: fuzz.raise_(UsageError("two\nlines")), "traceback"),
        (lambda fuzz: fuzz.raise_(KeyError("unet")), "traceback"),
        (lambda fuzz: fuzz.raise_(fuzz.families.Changed("weights")), "changed"),
        (lambda fuzz: fuzz.families.note("import", ("fuzz_payload", None)), "import"),
        (lambda fuzz: fuzz.time.sleep(30), "hang"),
    ],
)
def test_each_fault_is_detected(fuzz, run, kind):
    def raise_(error):
        raise error

    fuzz.raise_ = raise_
    assert fuzz.outcome(fuzz.families.Case("", lambda: run(fuzz)), 1)[0] == kind
