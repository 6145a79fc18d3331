"""One thread at a time in MindSpore, and none in a forked child of a process that has used it.

MindSpore's CPU backend is not made for several threads: two that compute at once crash the process, or get wrong
values without an error. In a child that was forked after the first operation, MindSpore waits for threads that only
the parent has. So everything that computes, loads or changes weights runs under one lock of the process, and is
refused in such a child.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ContextDecorator
from typing import Any

from .errors import UsageError


class OneAtATime(ContextDecorator):
    """The lock around MindSpore: a context manager, or a decorator of a function that runs under it.

    There is one instance, :data:`one_at_a_time`. A thread that holds the lock may take it again, so a callback of a
    pipeline may call another pipeline.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0
        self._used = False
        self._forked = False
        os.register_at_fork(after_in_child=self._begin_in_child)

    def __enter__(self) -> None:
        """Take the lock; other threads that want it wait.

        Raises:
            UsageError: in a process that was forked from one that had used MindSpore.
        """
        if self._forked:
            raise UsageError(
                "this process was forked from one that had used MindSpore, which would hang here for ever; "
                'start it with multiprocessing.get_context("spawn"), or fork before the first model is loaded'
            )
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1
        self._used = True

    def __exit__(self, *error: Any) -> None:
        """Give the lock back."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def held(self) -> bool:
        """Whether this thread holds the lock."""
        return self._owner == threading.get_ident()

    def _begin_in_child(self) -> None:
        # Of the parent's threads the child has one, the one that forked. What another one held is free here; what this
        # one held it gives back later, once for each time that it was taken.
        self._depth = self._depth if self.held() else 0
        self._owner = threading.get_ident() if self._depth else None
        self._lock = threading.RLock()
        for _ in range(self._depth):
            self._lock.acquire()
        # Before anything of MindSpore is imported, an entry has only refused its arguments.
        self._forked = self._forked or (self._used and "mindspore" in sys.modules)


one_at_a_time = OneAtATime()
"""The lock of this process. ``with one_at_a_time:`` is for code that calls networks itself, or that changes a pipeline
and calls it, without another thread in between."""
