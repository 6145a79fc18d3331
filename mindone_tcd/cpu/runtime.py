"""How MindSpore hands work to its threads on a CPU.

By itself it queues operations and whole graphs for other threads, and the thread that waits for them spins. Where there
are no more cores than such threads, what spins takes the core of what computes: an operation becomes 2 to 8 times
slower, and a graph that takes 10 ms is now and then stalled for 0.2 to 2 s.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import mindspore as ms
import numpy as np

_VARIABLE = "MS_DEV_RUNTIME_CONF"
_SETTING = "graph_pipeline"


def compute_where_called() -> None:
    """Let operations and graphs run before the call returns, without another thread that waits.

    For graphs MindSpore has an environment variable only, which it reads once, with the first operation of the
    process. So an operation is run with the variable set, which then is put back: where others have run before, graphs
    stay queued. What the user has set for it stands.
    """
    ms.runtime.launch_blocking()
    before = os.environ.get(_VARIABLE)
    if before is not None and _SETTING in before:
        return
    os.environ[_VARIABLE] = ",".join(filter(None, (before, f"{_SETTING}:false")))
    try:
        with _unheard():
            ms.Tensor(np.zeros(1, np.float32)).add(1).asnumpy()
    finally:
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Nothing gets to the standard output: MindSpore announces there that the variable is set."""
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
