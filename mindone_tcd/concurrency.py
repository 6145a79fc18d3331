"""Run MindSpore in one thread at a time, and never in a forked child of a process that has used it.

MindSpore's CPU backend is not thread-safe: two threads that compute at once crash the process, or silently get wrong
values. In a child that was forked after the first operation, MindSpore waits forever for threads that exist only in the
parent. Therefore everything that computes, loads or changes weights runs under one process-wide lock, which raises an
error in such a child.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import ContextDecorator
from typing import Any

from .errors import UsageError


class OneAtATime(ContextDecorator):
    """The lock around MindSpore: a context manager, and a decorator for functions that run under the lock.

    There is one instance, :data:`one_at_a_time`. Threads get the lock in the order in which they request it. With a
    plain Python lock, a thread that generates many images would acquire it again and again before the waiting threads.
    The lock is reentrant, so a callback of a pipeline can call another pipeline.
    """

    def __init__(self) -> None:
        self._used = False
        self._forked = False
        self._owner: int | None = None
        self._depth = 0
        self._reset()
        os.register_at_fork(after_in_child=self._reset_in_child)

    def _reset(self) -> None:
        self._state = threading.Lock()  # held only briefly, to change the queue and the owner
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        """Acquire the lock; if another thread holds it, wait in the queue.

        Raises:
            UsageError: in a process that was forked from a process that had used MindSpore.
        """
        if self._forked:
            raise UsageError(
                "this process was forked from a process that had used MindSpore, which would hang here; "
                'start it with multiprocessing.get_context("spawn"), or fork before the first model is loaded'
            )
        self._used = True
        thread = threading.get_ident()
        with self._state:
            if self._owner in (None, thread):
                self._owner = thread
                self._depth += 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((thread, turn))
        try:
            turn.acquire()
        except BaseException:  # such as KeyboardInterrupt
            self._leave_queue(thread, turn)
            raise

    def __exit__(self, *error: Any) -> None:
        """Release the lock; the thread that has waited longest gets it."""
        with self._state:
            self._depth -= 1
            if not self._depth:
                self._hand_over()

    def held(self) -> bool:
        """Return whether this thread holds the lock."""
        return self._owner == threading.get_ident()

    def _hand_over(self) -> None:
        self._owner, self._depth = None, 0
        if self._waiting:
            self._owner, turn = self._waiting.popleft()
            self._depth = 1
            turn.release()

    def _leave_queue(self, thread: int, turn: threading.Lock) -> None:
        with self._state:
            if (thread, turn) in self._waiting:
                self._waiting.remove((thread, turn))
            else:  # it got the lock in the meantime
                self._hand_over()

    def _reset_in_child(self) -> None:
        # The child has only the parent's thread that forked. That thread will release what it holds. A lock that
        # another thread held is free here.
        if not self.held():
            self._owner, self._depth = None, 0
        self._reset()
        # If MindSpore is not imported, a previous entry only raised an error for its arguments.
        self._forked = self._forked or (self._used and "mindspore" in sys.modules)


one_at_a_time = OneAtATime()
"""The lock of this process. Use ``with one_at_a_time:`` in code that calls networks directly, or that changes a
pipeline and then calls it, to keep other threads out in between.
"""
