"""Code that runs in a process of its own, with the patches or, where a test asks for it, without them."""

import os
import subprocess
import sys

from mindone_tcd.patches import VARIABLE

BEGIN = "import sys\nimport mindone_tcd\n"


def run(code: str, patched: bool = True, **variables: str) -> list[str]:
    """What the code prints, by lines.

    Args:
        code: a script, which finds `sys` and `mindone_tcd` imported.
        patched: False to switch the patches off.
        variables: of the environment.
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
