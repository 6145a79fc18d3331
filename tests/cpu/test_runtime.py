"""Operations and graphs run in the calling thread. MindSpore reads this setting once per process."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
import mindspore as ms
import numpy as np
before = os.environ.get("MS_DEV_RUNTIME_CONF")
from mindone_tcd import cpu
cpu.enable()
assert os.environ.get("MS_DEV_RUNTIME_CONF") == before

@ms.jit(jit_level="O0")
def double(x):
    return x + x

print(double(ms.Tensor(np.ones(2, np.float32))))
"""


def run(tmp_path, **environment):
    script = tmp_path / "program.py"  # a graph is compiled from source in a file
    script.write_text(PROGRAM)
    clean = {name: value for name, value in os.environ.items() if name != "MS_DEV_RUNTIME_CONF"}
    ran = subprocess.run(
        [sys.executable, str(script)],
        env={**clean, "GLOG_v": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran


@pytest.mark.parametrize(
    "before", [{}, pytest.param({"MS_DEV_RUNTIME_CONF": "multi_stream:false"}, marks=pytest.mark.slow)]
)
def test_graphs_are_not_queued(tmp_path, before):
    ran = run(tmp_path, **before)
    assert "Enable pynative and graph pipeline" not in ran.stderr + ran.stdout
    assert ran.stdout.splitlines()[-1] == "[2. 2.]"


def test_settings_of_the_user_do_not_change(tmp_path):
    ran = run(tmp_path, MS_DEV_RUNTIME_CONF="graph_pipeline:true")
    assert "Enable pynative and graph pipeline" in ran.stderr + ran.stdout


def test_nothing_is_printed(tmp_path):
    assert run(tmp_path, GLOG_v="3").stdout == "[2. 2.]\n"
