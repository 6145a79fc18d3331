"""The selftest: generate known images again, eagerly and compiled, on any device."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..environment import versions
from ..errors import first_line
from .cases import CASES, arguments, known, stored_pixels, streams

CHECKED = ("tcd-4", "tcd-3-eta-0-guidance-3", "lcm-4")

ALLOWED = {"float32": (1e-3, 1e-4), "float16": (1e-1, 1e-2), "bfloat16": (5e-1, 5e-2)}
"""The largest and the mean difference allowed between pixels in [0, 1] and the known ones. On a CPU, float32 differs by
about 1e-5 and 1e-6. The margin is for devices that round products to fewer bits. A wrong constant, weight or noise
value gives a mean above 1e-1.
"""


def selftest(dtype: str | None = None, say: Callable[[str], None] = print) -> bool:
    """Generate the known images of the shipped model and compare them.

    Args:
        dtype: see :func:`mindone_tcd.load`.
        say: prints one line of the report.

    Returns:
        Whether every comparison ran and was within ``ALLOWED``.

    Raises:
        UsageError: if the dtype does not run on this device.
    """
    from .. import cpu
    from ..compiled.pipeline import compile_pipeline, uncompile_pipeline
    from ..generate.loading import load

    started = time.perf_counter()
    method = CASES[CHECKED[0]]["method"]
    loaded: dict[str, Any] = {method: load(method=method, dtype=dtype)}
    loading = time.perf_counter() - started
    dtype = loaded[method].dtype
    largest, mean = ALLOWED[dtype]
    say(", ".join(f"{name} {version}" for name, version in versions().items()))
    kernels = ", native kernels" if cpu.enabled() and cpu.native_kernels() else ""
    say(f"device {cpu.device()}{kernels}, {dtype}; {_machine()}")
    say(f"loading: {loading:.1f} s")
    say(f"allowed: difference of pixels in [0, 1] up to {largest:g}, mean {mean:g}\n")
    say(f"{'case':24}{'form':10}{'largest':>9}{'mean':>9}{'first, s':>10}{'again, s':>10}")
    failures, images = 0, known()
    for name in CHECKED:
        method = CASES[name]["method"]
        try:
            if method not in loaded:
                loaded[method] = load(method=method, dtype=dtype)
        except Exception as error:
            say(f"{name:24}loading failed: {first_line(error)}")
            failures += 2
            continue
        pipe = loaded[method].pipeline
        pipe.set_progress_bar_config(disable=True)
        for form in ("eager", "compiled"):
            (compile_pipeline if form == "compiled" else uncompile_pipeline)(pipe)
            try:
                found, first, again, same = _twice(pipe, CASES[name])
            except Exception as error:
                say(f"{name:24}{form:10}failed: {first_line(error)}")
                failures += 1
                continue
            away = np.abs(stored_pixels(found).astype(np.float64) - images[name])
            good = bool(away.max() <= largest and away.mean() <= mean and same)
            verdict = "" if good else "  DIFFERS" if same else "  SECOND RUN DIFFERS"
            say(f"{name:24}{form:10}{away.max():9.1e}{away.mean():9.1e}{first:10.2f}{again:10.2f}{verdict}")
            failures += not good
        uncompile_pipeline(pipe)
    count = 2 * len(CHECKED)
    say(f"\n{count - failures} of {count} passed")
    return failures == 0


def _twice(pipe: Any, case: dict[str, Any]) -> tuple[np.ndarray, float, float, bool]:
    """Return the images, the seconds of the first and the second run, and whether both runs gave the same images."""
    made, seconds = [], []
    for _ in range(2):
        started = time.perf_counter()
        made.append(pipe(generator=streams(), **arguments(case))[0])
        seconds.append(time.perf_counter() - started)
    return made[0], *seconds, bool(np.array_equal(made[0], made[1]))


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
