"""Check that several threads generate the same images as one thread, pixel for pixel.

    python benchmarks/threads.py [--threads 4] [--images 50] [--pipelines 1|2] [--steps 4] [--compile]

First one thread generates the images of the shipped model. Then all threads start at once. Each generates all images
again, in its own order, with one shared pipeline or with two pipelines alternately. The script prints how many images
differ in any pixel, and exits with 1 if one does.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time

import numpy as np

PROMPTS = ("a red circle on a blue background", "a green star on a white background", "a yellow moon")


def image(pipeline, seed: int, steps: int = 4) -> np.ndarray:
    """The pixels of one image."""
    return np.asarray(pipeline(PROMPTS[seed % len(PROMPTS)], seed=seed, steps=steps)[0].image)


def in_threads(
    pipelines: list, expected: list[np.ndarray], threads: int, steps: int = 4
) -> tuple[int, int, list[BaseException]]:
    """The number of images that several threads generate, how many of them differ, and the errors."""
    start, made, wrong, raised = threading.Barrier(threads), [], [], []

    def work(number: int) -> None:
        order = random.Random(number).sample(range(len(expected)), len(expected))
        start.wait()
        try:
            for turn, seed in enumerate(order):
                pixels = image(pipelines[(number + turn) % len(pipelines)], seed, steps)
                made.append(seed)
                if not np.array_equal(pixels, expected[seed]):
                    wrong.append(seed)
        except BaseException as error:
            raised.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(made), len(wrong), raised


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--images", type=int, default=50, help="the number of images of each thread")
    parser.add_argument("--pipelines", type=int, choices=(1, 2), default=1)
    parser.add_argument("--steps", type=int, default=4, help="the number of TCD steps of an image")
    parser.add_argument("--compile", action="store_true", help="compile the pipelines")
    options = parser.parse_args()

    from mindone_tcd import load

    pipelines = [load(compile=options.compile) for _ in range(options.pipelines)]
    for each in pipelines:
        each.pipeline.set_progress_bar_config(disable=True)
    begin = time.perf_counter()
    expected = [image(pipelines[0], seed, options.steps) for seed in range(options.images)]
    alone = time.perf_counter() - begin
    begin = time.perf_counter()
    made, wrong, raised = in_threads(pipelines, expected, options.threads, options.steps)
    taken = time.perf_counter() - begin
    form = "compiled" if options.compile else "eager"
    print(f"{form}, {options.pipelines} pipeline(s), {options.threads} threads: {made} images, {wrong} differ")
    print(f"one thread {alone / options.images:.2f} s an image, the threads {taken / max(made, 1):.2f} s")
    for error in raised:
        print(f"raised: {type(error).__name__}: {error}")
    sys.exit(bool(wrong or raised or made != options.threads * options.images))


if __name__ == "__main__":
    main()
