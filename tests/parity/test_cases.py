"""What the cases are, as data: told of in the documentation, and apart where a default could stand in unseen."""

import inspect
from collections import Counter
from pathlib import Path

import pytest
from parity_case import DEPTHS
from parity_cases import CASES

TABLE = Path(__file__).parents[2] / "docs" / "pipelines.md"


def test_the_documentations_table_has_a_row_for_each_kind_of_case_and_their_number():
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and line.count("|") == 6
    ]
    assert rows[0] == ["use", "pipeline", "method", "cases", "largest difference"]
    cases = Counter((case.use, case.pipeline, case.method) for case in CASES.values())
    cases["depth maps", "DPTForDepthEstimation", ""] = len(DEPTHS)
    assert [(tuple(row[:3]), int(row[3])) for row in rows[1:]] == list(cases.items())


@pytest.mark.parametrize("pipeline", sorted({case.pipeline for case in CASES.values() if "eta" in case.call}))
def test_an_eta_that_is_not_the_schedulers_own(pipeline):
    from mindone_tcd import TCDScheduler

    default = inspect.signature(TCDScheduler.step).parameters["eta"].default
    assert {case.call.get("eta", default) for case in CASES.values() if case.pipeline == pipeline} - {default, 0.0}


def test_the_eta_that_is_left_out_is_the_schedulers_own():
    from mindone_tcd import TCDScheduler

    left_out = [case.left_out for case in CASES.values() if case.left_out]
    assert left_out == [{"eta": inspect.signature(TCDScheduler.step).parameters["eta"].default}]
