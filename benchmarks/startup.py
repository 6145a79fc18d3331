"""Times the start of a program: `import mindspore`, `load()` of the shipped model, and the command's first picture.

    python benchmarks/startup.py [--rounds 5]

Each is a fresh process, and in every round they take turns; the first round warms the disk's cache up and does not
count. Times are of the whole process, from its start to its end; only the picture's own computing is timed inside a
process, which has loaded the model.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

PROMPT = "a red circle on a blue background"

COMPUTING = f"""
import time
from mindone_tcd import load
pipe = load()
started = time.perf_counter()
pipe({PROMPT!r})
print(time.perf_counter() - started)
"""

PROGRAMS = {
    "import mindspore": ["-c", "import mindspore"],
    "load()": ["-c", "from mindone_tcd import load; load()"],
    "mindone-tcd generate": ["-m", "mindone_tcd.cli", "generate", PROMPT, "--out", "circle.png"],
    "the picture alone": ["-c", COMPUTING],
}


def seconds(name: str, folder: str) -> float:
    """How long one of the programs takes; for the picture alone, what it printed."""
    environment = {**os.environ, "GLOG_v": "3", "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, *PROGRAMS[name]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - started
    if ran.returncode:
        sys.exit(f"{name} failed:\n{ran.stderr[-2000:]}")
    return float(ran.stdout.split()[-1]) if name == "the picture alone" else took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if importlib.util.find_spec("mindone_tcd") is None or "PYTHONPATH" in os.environ:
        # The programs run in a folder of their own.
        os.environ["PYTHONPATH"] = os.path.abspath(os.environ.get("PYTHONPATH", "."))

    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for round_number in range(options.rounds + 1):
            for name in PROGRAMS:
                took = seconds(name, folder)
                if round_number:
                    times[name].append(took)
    medians = {name: statistics.median(values) for name, values in times.items()}

    packages = ("mindspore", "mindone", "transformers", "numpy")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages))
    print(f"torch is {'' if importlib.util.find_spec('torch') else 'not '}installed")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"seconds, {options.rounds} rounds\n\n{'':22}{'median':>8}{'least':>8}{'most':>8}")
    for name, values in times.items():
        print(f"{name:22}{medians[name]:8.2f}{min(values):8.2f}{max(values):8.2f}")
    least = medians["import mindspore"] + medians["the picture alone"]
    print(f"\nload(): {medians['load()'] / medians['import mindspore']:.2f} times import mindspore")
    print(f"the command: {medians['mindone-tcd generate'] / least:.2f} times import mindspore and the picture alone")


if __name__ == "__main__":
    main()
