"""One thread that does all work with MindSpore, and reports what happens to the threads that wait for it."""

from __future__ import annotations

import contextvars
import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageWarning

Emit = Callable[[Any], None]


class Stopped(BaseException):
    """Raised in a job whose caller no longer waits. It is no Exception, so that no handler for errors catches it."""


@dataclass(frozen=True)
class Warned:
    """A warning for the user.

    Attributes:
        message: one line.
    """

    message: str


@dataclass
class _Job:
    work: Callable[[Emit], None]
    events: queue.SimpleQueue[tuple[str, Any]] = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def emit(self, event: Any) -> None:
        if self.stopped.is_set():
            raise Stopped
        self.events.put(("event", event))

    def run(self) -> None:
        try:
            # The filters are global, so other threads' warnings of this class would be reported here, too. There are
            # none: only jobs call what warns.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("always", category=UsageWarning)
                warnings.showwarning = lambda message, *rest, **more: self.emit(Warned(str(message)))
                if not self.stopped.is_set():
                    self.work(self.emit)
        except Stopped:
            pass
        except BaseException as error:
            self.events.put(("error", error))
        finally:
            self.events.put(("end", None))


class Worker:
    """Runs jobs one after the other, in one daemon thread, which starts with the first job."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def events(self, work: Callable[[Emit], None]) -> Iterator[Any]:
        """Run a job, and yield what it reports, as it does.

        If the caller closes the iterator, the job ends at its next report.

        Args:
            work: called in the worker's thread with a function that reports an event. Warnings of the class
                ``UsageWarning`` become events of the class :class:`Warned`.

        Raises:
            Exception: what the job raises.
        """
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mindone-tcd demo", daemon=True)
                self._thread.start()
        job = _Job(work)
        self._jobs.put(job)
        try:
            while True:
                kind, content = job.events.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise content
                yield content
        finally:
            job.stopped.set()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            job.context.run(job.run)
            del job  # its events hold images
