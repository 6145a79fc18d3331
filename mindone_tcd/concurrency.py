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
from collections import deque
from contextlib import ContextDecorator
from typing import Any

from .errors import UsageError


class OneAtATime(ContextDecorator):
    """The lock around MindSpore: a context manager, or a decorator of a function that runs under it.

    There is one instance, :data:`one_at_a_time`. Threads get it in the order in which they come: with a lock of
    Python, one that makes many images would take it again and again before those that wait. A thread that holds it may
    take it again, so a callback of a pipeline may call another pipeline.
    """

    def __init__(self) -> None:
        self._used = False
        self._forked = False
        self._owner: int | None = None
        self._depth = 0
        self._begin()
        os.register_at_fork(after_in_child=self._begin_in_child)

    def _begin(self) -> None:
        self._state = threading.Lock()  # held for a few lines only, around what follows and the owner
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        """Take the lock; a thread that does not get it waits for its turn.

        Raises:
            UsageError: in a process that was forked from one that had used MindSpore.
        """
        if self._forked:
            raise UsageError(
                "this process was forked from one that had used MindSpore, which would hang here; "
                'start it with multiprocessing.get_context("spawn"), or fork before the first model is loaded'
            )
        self._used = True
        me = threading.get_ident()
        with self._state:
            if self._owner in (None, me):
                self._owner = me
                self._depth += 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        try:
            turn.acquire()
        except BaseException:  # such as KeyboardInterrupt
            self._give_up(me, turn)
            raise

    def __exit__(self, *error: Any) -> None:
        """Give the lock back; the thread that has waited longest gets it."""
        with self._state:
            self._depth -= 1
            if not self._depth:
                self._pass_on()

    def held(self) -> bool:
        """Whether this thread holds the lock."""
        return self._owner == threading.get_ident()

    def _pass_on(self) -> None:
        self._owner, self._depth = None, 0
        if self._waiting:
            self._owner, turn = self._waiting.popleft()
            self._depth = 1
            turn.release()

    def _give_up(self, me: int, turn: threading.Lock) -> None:
        with self._state:
            if (me, turn) in self._waiting:
                self._waiting.remove((me, turn))
            else:  # its turn has come meanwhile
                self._pass_on()

    def _begin_in_child(self) -> None:
        # Of the parent's threads the child has the one that forked. What that one holds it will give back; what another
        # one held is free here.
        if not self.held():
            self._owner, self._depth = None, 0
        self._begin()
        # Before anything of MindSpore is imported, an entry has only refused its arguments.
        self._forked = self._forked or (self._used and "mindspore" in sys.modules)


one_at_a_time = OneAtATime()
"""The lock of this process. ``with one_at_a_time:`` is for code that calls networks itself, or that changes a pipeline
and calls it, without another thread in between."""
