"""Damaged adapter files load, or raise a one-line error and change nothing.

The long form is ``python tools/fuzzing/adapters.py --count 2000``.
"""

import fuzz_files
import numpy as np
import pytest

from mindone_tcd.errors import UsageError

pytestmark = pytest.mark.slow

COUNT = 40


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_change_nothing(tmp_path):
    fuzzer = fuzz_files.Fuzzer(tmp_path, seed=1)
    outputs, errors = fuzzer.outputs(), []
    for number in range(COUNT):
        outcome = fuzzer.next(number)
        what = f"{outcome.source}: {outcome.mutation}"
        assert outcome.changed == [], what
        if outcome.error is not None:
            errors.append(outcome.error)
        if isinstance(outcome.error, UsageError):
            text = str(outcome.error)
            assert "\n" not in text, what
            assert len(text) < 2000, what
        if number % 10 == 9:
            for name, values in fuzzer.outputs().items():
                np.testing.assert_array_equal(values, outputs[name], err_msg=f"{what}: {name}")
    assert len(errors) > COUNT // 2
