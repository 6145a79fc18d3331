"""Code that runs in a process of its own, with the mendings in place, or with MENDINGS=off without them."""

import os
import subprocess
import sys

APPLY = "import sys\nfrom mindone_tcd import mendings\nmendings.apply()\n"
WITHOUT = "import sys\n"


def run(code: str, mended: bool = True) -> list[str]:
    """What the code prints, by lines."""
    begin = APPLY if mended and os.environ.get("MENDINGS") != "off" else WITHOUT
    ran = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.splitlines()
