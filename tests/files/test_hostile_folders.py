"""No file of a model folder is imported, run or unpickled. One process tries it, under an audit hook."""

import json
import os
import subprocess
import sys

import hostile
import pytest

BELOW = (
    *("class of a part", "class of a part, beside it", "class", "custom pipeline by its file", "from_pipe"),
    *("over a network", "code of mindone", "code of transformers"),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    homes = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(root / "hub"), "HF_HOME": str(root / "home")}
    ran = subprocess.run(
        [sys.executable, hostile.__file__, str(root)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, **homes},
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", hostile.ATTACKS)
def test_a_folder_runs_no_code(results, name):
    kind, message, seen = results[name]
    wanted = hostile.ATTACKS[name][-1]
    assert seen == []
    assert wanted in (None, kind), message
    assert "\n" not in message or kind != "UsageError"


@pytest.mark.parametrize("name", BELOW)
def test_mindones_own_functions_run_no_code(results, name):
    kind, message, seen = results[f"below: {name}"]
    assert (kind, seen) == ("UsageError", []), message


def test_no_payload_left_a_trace(results):
    assert results["ran"] == []
