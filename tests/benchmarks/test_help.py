"""Every script of benchmarks/ and tools/ prints its usage, which requires that all its imports work."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    path.relative_to(ROOT).as_posix()
    for folder in ("benchmarks", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]
NOT_IN_THE_TEST_EXTRA = ("torch", "diffusers", "peft", "openvino", "nbformat", "nbclient")

# The scripts of a folder share a process, because importing a framework takes most of the time.
PROGRAM = """
import contextlib, io, json, runpy, sys, traceback
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]).resolve().parent))
found = {}
for script in sys.argv[1:]:
    said = io.StringIO()
    sys.argv = [script, "--help"]
    end = "it ran on after --help"
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        end = error.code
    except ModuleNotFoundError as error:
        end = f"no module {error.name}"
    except BaseException:
        end = traceback.format_exc()
    found[script] = [end, said.getvalue()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def helped():
    """A function that returns the exit status and output of `--help` for a script. Each folder runs once."""
    known = {}

    def ask(script: str) -> tuple:
        if script not in known:
            folder = os.path.dirname(script)
            scripts = [other for other in SCRIPTS if os.path.dirname(other) == folder]
            path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
            run = subprocess.run(
                [sys.executable, "-c", PROGRAM, *scripts],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
            )
            assert run.returncode == 0, run.stderr
            known.update(json.loads(run.stdout.splitlines()[-1]))
        return known[script]

    return ask


def test_scripts_are_found():
    folders = [os.path.dirname(script) for script in SCRIPTS]
    assert set(folders) == {"benchmarks", "tools", "tools/docs", "tools/fuzzing", "tools/reference", "tools/shapes"}
    assert "benchmarks/accuracy.py" in SCRIPTS


SLOW = ("tools/reference", "tools/shapes")
"""Folders whose scripts also import torch, if it is installed."""


@pytest.mark.parametrize(
    "script",
    [pytest.param(s, marks=pytest.mark.slow) if os.path.dirname(s) in SLOW else s for s in SCRIPTS],
)
def test_help(script, helped):
    end, said = helped(script)
    for package in NOT_IN_THE_TEST_EXTRA:
        if end == f"no module {package}" and importlib.util.find_spec(package) is None:
            pytest.skip(f"{script} needs {package}, which is not installed")
    assert end == 0, end
    assert said.startswith(f"usage: {os.path.basename(script)}"), said
    text = (ROOT / script).read_text(encoding="utf-8")
    first = text.lstrip('"').splitlines()[0]
    assert first in said, "the help does not say what the script does"
