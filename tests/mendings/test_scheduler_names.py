"""mindone's names lead to our schedulers as soon as there is a pipeline to load."""

import os
import subprocess
import sys

from mindone_tcd.schedulers.methods import METHODS

SCRIPT = """
import os
from mindone_tcd import mendings
if os.environ.get("MENDINGS") != "off":
    mendings.apply()
from mindone.diffusers import DiffusionPipeline
import mindone.diffusers, mindone.diffusers.schedulers
for module in (mindone.diffusers, mindone.diffusers.schedulers):
    for name in os.environ["NAMES"].split():
        print(getattr(module, name).__module__)
"""


def test_schedulers_are_ours_where_only_mindone_is_imported():
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4", "NAMES": " ".join(method.scheduler_name for method in METHODS.values())},
        timeout=300,
        check=False,
    )
    modules = [method.scheduler.partition(":")[0] for method in METHODS.values()]
    assert ran.stdout.split()[-2 * len(modules) :] == modules * 2, ran.stderr[-2000:]
