"""A program that uses MindSpore in several threads and processes, and prints what came of it as JSON.

One process for all of it, as each that loads MindSpore takes its time. The parent forks before anything is used; the
child is the one that works, forks again, and spawns.
"""

import contextlib
import json
import multiprocessing
import os
import select
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

PATIENCE = 120
"""Seconds after which a child that has nothing to compute counts as hanging."""

LONG = 1800
"""As many for one that loads a model."""


def loaded():
    from mindone_tcd import load

    made = load()
    made.pipeline.set_progress_bar_config(disable=True)
    return made


def in_a_fork(work, patience: int = PATIENCE) -> object:
    """What ``work`` returns in a forked child, as JSON; "hangs" if it takes too long, "nothing" if it dies."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], patience)
    if not ready:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        text = pipe.read() if ready else '"hangs"'
    os.waitpid(child, 0)
    return json.loads(text or '"nothing"')


def spawned(sending) -> None:
    """In a spawned process: one image."""
    from threads import image

    sending.send(image(loaded(), 0).tobytes())


def in_a_spawned_process() -> bytes:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=spawned, args=(sending,))
    process.start()
    sending.close()
    try:
        return receiving.recv() if receiving.poll(LONG) else b"hangs"
    except EOFError:
        return b"died"
    finally:
        process.kill()
        process.join()


def refusals(text_to_image) -> dict[str, str]:
    """What each entry says in a process that MindSpore does not work in."""
    from mindone_tcd import load
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    entries = {
        "load": load,
        "from_pretrained": lambda: type(text_to_image.pipeline).from_pretrained(str(SHAPES_FOLDER)),
        "call": lambda: text_to_image.pipeline("a red circle", num_inference_steps=1),
        "load()(…)": lambda: text_to_image("a red circle"),
    }
    said = {}
    for name, entry in entries.items():
        try:
            entry()
            said[name] = "nothing"
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


def fork_during_a_call(text_to_image) -> tuple[dict, np.ndarray]:
    """What a child says that is forked while another thread computes, and the image of that thread."""
    inside, go_on, made = threading.Event(), threading.Event(), []

    def stay(pipe, step, timestep, tensors):
        inside.set()
        go_on.wait(2 * PATIENCE)
        return tensors

    def draw():
        options = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "np"}
        stream = np.random.Generator(np.random.PCG64(1))
        made.append(text_to_image.pipeline("a moon", generator=stream, callback_on_step_end=stay, **options)[0])

    thread = threading.Thread(target=draw)
    thread.start()
    inside.wait(LONG)
    said = in_a_fork(lambda: refusals(text_to_image))
    go_on.set()
    thread.join()
    return said, made[0]


def nested(outer, inner, expected: np.ndarray) -> bool:
    """Whether a callback may call another pipeline."""
    from threads import image

    seen = []

    def call(pipe, step, timestep, tensors):
        seen.append(np.array_equal(image(inner, 1), expected))
        return tensors

    outer.pipeline("a moon", num_inference_steps=1, guidance_scale=0.0, callback_on_step_end=call)
    return seen == [True]


def work() -> dict:
    from threads import image, in_threads

    from mindone_tcd import compile_pipeline

    found = {}

    def compare(form: str) -> None:
        reference = [image(one, seed) for seed in range(2)]
        for shared, pipelines in {"one pipeline": [one], "two pipelines": [one, other]}.items():
            made, wrong, raised = in_threads(pipelines, reference, 4)
            found[f"{shared}, {form}"] = [made, wrong, [repr(error) for error in raised]]

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(loaded) for _ in range(2)]
        one, other = (future.result() for future in both)
    expected = [image(one, seed) for seed in range(2)]
    compare("eager")
    found["nested"] = nested(one, other, expected[1])
    found["forked"], during = fork_during_a_call(one)
    options = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "np"}
    alone = one.pipeline("a moon", generator=np.random.Generator(np.random.PCG64(1)), **options)[0]
    found["the parent draws on"] = bool(np.array_equal(during, alone))
    found["spawned"] = in_a_spawned_process() == expected[0].tobytes()
    for each in (one, other):
        compile_pipeline(each.pipeline)
    compare("compiled")
    return found


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        import mindone_tcd  # noqa: F401 - the parent may have it

        result = in_a_fork(work, LONG)
    print(json.dumps(result))
