"""Run code in a separate process, with or without the patches."""

import os
import subprocess
import sys

from mindone_tcd.patches import VARIABLE

BEGIN = "import sys\nimport mindone_tcd\n"


def run(code: str, patched: bool = True, **variables: str) -> list[str]:
    """The output of the code, as a list of lines.

    Args:
        code: a script. `sys` and `mindone_tcd` are already imported.
        patched: False to switch the patches off.
        variables: environment variables.
    """
    off = {} if patched else {VARIABLE: "off"}
    ran = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4", **off, **variables},
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.splitlines()
