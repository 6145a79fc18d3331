"""One thread at a time uses MindSpore, and no forked child of a process that has used it."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mindone_tcd.concurrency import OneAtATime

PROGRAM = Path(__file__).with_name("threads_and_processes.py")
REFUSED = "UsageError: this process was forked from a process that had used MindSpore"


def free(lock) -> bool:
    return lock._owner is None


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_lock_is_reentrant():
    lock = OneAtATime()
    assert free(lock)
    assert not lock.held()
    with lock:
        with lock:
            assert not free(lock)
        assert lock.held()
        assert not free(lock)
    assert not lock.held()
    assert free(lock)


def test_an_error_releases_the_lock():
    lock = OneAtATime()

    @lock
    def fails():
        """What it does."""
        assert not free(lock)
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        fails()
    assert free(lock)
    assert (fails.__name__, fails.__doc__) == ("fails", "What it does.")


def test_threads_get_the_lock_in_order():
    lock, order = OneAtATime(), []

    def work(number):
        with lock:
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda after=number + 1: len(lock._waiting) == after)
        assert order == []
    with lock:  # at once again, but in last position
        order.append("again")
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, "again"]
    assert free(lock)


def test_an_interrupted_thread_releases_the_lock():
    lock, me, turn = OneAtATime(), threading.get_ident(), threading.Lock()
    lock._owner, lock._depth = me, 1
    lock._leave_queue(me, turn)
    for _ in range(2):
        assert free(lock)
        with lock:
            assert lock.held()


def test_the_lock_is_exclusive():
    lock, inside, most = OneAtATime(), [], []

    def work():
        for _ in range(50):
            with lock, lock:
                inside.append(1)
                time.sleep(0)  # let others run, if they can
                most.append(len(inside))
                inside.pop()
            assert not lock.held()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 200
    assert free(lock)


FORKING = """
import os, signal, sys, threading, types
from mindone_tcd.storage.own_files import temporary_folder
from mindone_tcd.concurrency import OneAtATime
from mindone_tcd.errors import UsageError

def in_a_fork(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs dies, and has not said 0
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def enters(lock):
    try:
        with lock:
            return True
    except UsageError:
        return False

def in_both(lock):
    return enters(lock) and in_a_fork(lambda: enters(lock))

lock = OneAtATime()
assert in_a_fork(lambda: enters(lock)), "nothing was used"
assert in_both(lock), "MindSpore was not even imported"

taken, go_on = threading.Event(), threading.Event()
def hold():
    with lock:
        taken.set()
        go_on.wait()
thread = threading.Thread(target=hold)
thread.start()
taken.wait()
assert in_a_fork(lambda: enters(lock)), "another thread of the parent held it"

class Stop(BaseException):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGALRM, stop)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    enters(lock)
    raise SystemExit("two had it")
except Stop:
    assert not lock._waiting, "it waits no more"
signal.signal(signal.SIGALRM, signal.SIG_DFL)
go_on.set()
thread.join()
assert lock._owner is None

def inside():
    held = lock.held()
    lock.__exit__()
    still = lock.held()
    lock.__exit__()
    return held and still and not lock.held() and enters(lock)
with lock, lock:
    assert in_a_fork(inside), "the forking thread held it twice"
    assert lock.held()

sys.modules["mindspore"] = types.ModuleType("mindspore")
unused = OneAtATime()
assert in_a_fork(lambda: in_both(unused) is False and unused._used), "imported, not used: the child may, its child not"
assert enters(lock)
assert not in_a_fork(lambda: enters(lock)), "MindSpore was used"
assert in_a_fork(lambda: not in_a_fork(lambda: enters(lock))), "the child's child"
assert enters(lock), "the parent goes on"

folder = temporary_folder("forking")
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
assert folder.is_dir(), "a child took the parent's folder away"
print(folder)
"""


def test_forks():
    ran = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert not Path(ran.stdout.strip()).exists(), "the temporary folder is left behind"


@pytest.fixture(scope="module")
def found():
    ran = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, timeout=3600, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    result = json.loads(ran.stdout)
    assert isinstance(result, dict), f"the child that works said {result!r}: {ran.stderr[-3000:]}"
    return result


@pytest.mark.parametrize("form", ["eager", "compiled"])
@pytest.mark.parametrize("shared", ["one pipeline", "two pipelines"])
@pytest.mark.slow
def test_four_threads_generate_the_images_of_one_thread(found, shared, form):
    made, wrong, raised = found[f"{shared}, {form}"]
    assert (raised, wrong, made) == ([], 0, 8)


@pytest.mark.slow
def test_a_callback_may_call_another_pipeline(found):
    assert found["nested"] is True


@pytest.mark.parametrize("entry", ["load", "from_pretrained", "call", "load()(…)"])
@pytest.mark.slow
def test_a_forked_child_is_refused(found, entry):
    assert found["forked"][entry].startswith(REFUSED)
    assert 'multiprocessing.get_context("spawn")' in found["forked"][entry]


@pytest.mark.slow
def test_a_fork_does_not_change_the_parent(found):
    assert found["the parent draws on"] is True


@pytest.mark.slow
def test_a_spawned_process_generates_the_same_image(found):
    assert found["spawned"] is True
