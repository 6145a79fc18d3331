"""The thread that does all work."""

import threading
import warnings

import pytest

from mindone_tcd.demo.worker import Warned, Worker
from mindone_tcd.errors import UsageError, UsageWarning


@pytest.fixture
def worker():
    return Worker()


def test_events_in_order_and_always_in_the_same_thread(worker):
    def job(emit):
        for k in range(3):
            emit((k, threading.get_ident()))

    first, second = list(worker.events(job)), list(worker.events(job))
    assert [k for k, _ in first] == [0, 1, 2]
    assert {thread for _, thread in first} == {thread for _, thread in second} != {threading.get_ident()}


def test_an_error_reaches_the_caller_and_the_next_job_runs(worker):
    def bad(emit):
        emit(1)
        raise UsageError("no")

    events = worker.events(bad)
    assert next(events) == 1
    with pytest.raises(UsageError, match="no"):
        next(events)
    assert list(worker.events(lambda emit: emit(2))) == [2]


def test_warnings_for_users_are_events(worker):
    def job(emit):
        for _ in range(2):  # each time, not only the first
            warnings.warn("strange", UsageWarning, stacklevel=1)
        warnings.warn("internal", UserWarning, stacklevel=1)
        emit("end")

    assert list(worker.events(job)) == [Warned("strange"), Warned("strange"), "end"]


def test_a_job_ends_when_nobody_waits(worker):
    went_on, ended = threading.Event(), threading.Event()

    def job(emit):
        try:
            emit(1)
            went_on.wait(10)
            emit(2)
            emit("never")
        finally:
            ended.set()

    events = worker.events(job)
    assert next(events) == 1
    events.close()
    went_on.set()
    assert list(worker.events(lambda emit: emit(3))) == [3]
    assert ended.is_set()


def test_jobs_of_several_threads_do_not_mix(worker):
    running, most, results = [0], [0], {}

    def job(emit, name):
        running[0] += 1
        most[0] = max(most[0], running[0])
        for _ in range(20):
            emit(name)
        running[0] -= 1

    def client(name):
        results[name] = list(worker.events(lambda emit: job(emit, name)))

    threads = [threading.Thread(target=client, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert results == {k: [k] * 20 for k in range(8)}
