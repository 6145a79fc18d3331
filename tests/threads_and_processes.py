"""A program that uses MindSpore in several threads and processes, and prints the results as JSON.

One process runs all checks, because every process that loads MindSpore takes seconds. The parent forks before it uses
MindSpore. The child does the work, forks again, and spawns processes.
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
"""The seconds after which a child that does not compute counts as a hang."""

LONG = 1800
"""The same for a child that loads a model."""


def loaded():
    from mindone_tcd import load

    made = load()
    made.pipeline.set_progress_bar_config(disable=True)
    return made


def in_a_fork(work, patience: int = PATIENCE) -> object:
    """The result of ``work`` in a forked child, as JSON; "hangs" after a timeout, "nothing" if the child dies."""
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
    """Generate one image in a spawned process."""
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
    """The error of each entry point in a process in which MindSpore cannot work."""
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
    """The errors in a child that is forked while another thread computes, and the image of that thread."""
    inside, go_on, made = threading.Event(), threading.Event(), []

    def stay(pipe, step, timestep, tensors):
        inside.set()
        go_on.wait(2 * PATIENCE)
        return tensors

    def generate():
        options = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "np"}
        stream = np.random.Generator(np.random.PCG64(1))
        made.append(text_to_image.pipeline("a moon", generator=stream, callback_on_step_end=stay, **options)[0])

    thread = threading.Thread(target=generate)
    thread.start()
    inside.wait(LONG)
    said = in_a_fork(lambda: refusals(text_to_image))
    go_on.set()
    thread.join()
    return said, made[0]


def nested(outer, inner, expected: np.ndarray) -> bool:
    """Whether a callback can call another pipeline."""
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
