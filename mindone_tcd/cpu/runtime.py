"""How MindSpore schedules work on CPU threads.

By default, MindSpore queues operations and whole graphs for other threads, and the thread that waits for them spins. If
there are no more cores than such threads, a spinning thread takes the core of a computing one: an operation becomes 2
to 8 times slower, and a graph that takes 10 ms is sometimes stalled for 0.2 to 2 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

import mindspore as ms
import numpy as np

_VARIABLE = "MS_DEV_RUNTIME_CONF"
_SETTING = "graph_pipeline"


def compute_where_called() -> None:
    """Run operations and graphs in the calling thread, before the call returns.

    For graphs, MindSpore has only an environment variable, which it reads once, at the first operation of the process.
    This function runs an operation with the variable set, then restores the variable. If other operations ran before,
    graphs stay queued. A user's own setting of this variable is not changed.
    """
    ms.runtime.launch_blocking()
    before = os.environ.get(_VARIABLE)
    if before is not None and _SETTING in before:
        return
    os.environ[_VARIABLE] = ",".join(filter(None, (before, f"{_SETTING}:false")))
    try:
        with _silent_stdout():
            ms.Tensor(np.zeros(1, np.float32)).add(1).asnumpy()
    finally:
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


def return_memory() -> None:
    """Return freed memory to the system. Otherwise, the C library keeps it, and it counts as memory of the process."""
    with contextlib.suppress(OSError, AttributeError):  # the C library is not the GNU C library
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def _silent_stdout() -> Iterator[None]:
    """Suppress standard output, where MindSpore announces that the variable is set."""
    try:
        stdout = os.dup(1)
    except OSError:  # no standard output
        yield
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
