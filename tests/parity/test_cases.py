"""The cases as data: the documentation lists them, and their arguments differ from defaults that could hide errors."""

import inspect
from collections import Counter
from pathlib import Path

import pytest
from parity_case import DEPTHS
from parity_cases import CASES

TABLE = Path(__file__).parents[2] / "docs" / "pipelines.md"


def test_the_documentation_lists_each_kind_of_case_with_its_number():
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
def test_each_pipeline_has_a_case_with_another_eta_than_the_default(pipeline):
    from mindone_tcd import TCDScheduler

    default = inspect.signature(TCDScheduler.step).parameters["eta"].default
    assert {case.call.get("eta", default) for case in CASES.values() if case.pipeline == pipeline} - {default, 0.0}


def test_an_omitted_eta_is_the_schedulers_default():
    from mindone_tcd import TCDScheduler

    left_out = [case.left_out for case in CASES.values() if case.left_out]
    assert left_out == [{"eta": inspect.signature(TCDScheduler.step).parameters["eta"].default}]
