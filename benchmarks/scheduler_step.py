"""Count the operations of one scheduler step and time it: mindone_tcd, mindone, and diffusers on torch.

    python benchmarks/scheduler_step.py [--size 128] [--rounds 9] [--steps 4] [--dtype float32]

The counts are the outermost calls of tensor methods, operators and functions of `mindspore.ops` and `mindspore.mint`.
Casts and waits (reading a value from the device) are counted separately. A time is that of a whole run of `steps` steps
without `set_timesteps`, divided by the number of steps. In each round the schedulers alternate in a new random order. A
turn is one run that wakes the threads up and five measured runs. Generating the noise is the same work for all. They
all replay the same stored noise, and the script prints the time of generating it separately.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import time
from collections import Counter

os.environ.setdefault("GLOG_v", "3")

import mindspore as ms
import numpy as np
from counting import counted


def operations_of_a_step(scheduler, place: int, dtype: ms.Type = ms.float32, **options) -> Counter:
    """Count the operations of one step of a MindSpore scheduler, at index `place` of its timesteps."""
    rng = np.random.Generator(np.random.PCG64(0))
    sample = ms.Tensor(rng.standard_normal((1, 4, 8, 8)), dtype=dtype)
    output = ms.Tensor(rng.standard_normal((1, 4, 8, 8)), dtype=dtype)
    timesteps = list(scheduler.timesteps)
    for timestep in timesteps[:place]:
        scheduler.step(output, timestep, sample, generator=rng, **options)
    with counted() as counts:
        scheduler.step(output, timesteps[place], sample, generator=rng, **options)
    return counts


def contestants(steps: int) -> dict[str, tuple[object, dict]]:
    """Every MindSpore scheduler with its timesteps set, by name."""
    from mindone.diffusers.schedulers.scheduling_lcm import LCMScheduler as MindoneLCM
    from mindone.diffusers.schedulers.scheduling_tcd import TCDScheduler as MindoneTCD

    from mindone_tcd.schedulers import LCMScheduler, TCDScheduler

    found = {
        "TCD ours": (TCDScheduler(), {"eta": 0.3}),
        "TCD mindone": (MindoneTCD(), {"eta": 0.3}),
        "LCM ours": (LCMScheduler(), {}),
        "LCM mindone": (MindoneLCM(), {}),
    }
    for scheduler, _ in found.values():
        scheduler.set_timesteps(steps)
    return found


def torch_contestants(steps: int) -> dict[str, tuple[object, dict]]:
    """The schedulers of diffusers, if torch is installed."""
    try:
        import diffusers
    except ImportError:
        return {}
    found = {"TCD diffusers": (diffusers.TCDScheduler(), {"eta": 0.3}), "LCM diffusers": (diffusers.LCMScheduler(), {})}
    for scheduler, _ in found.values():
        scheduler.set_timesteps(steps)
    return found


class Replay:
    """A generator that returns stored numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.numbers


def run(scheduler, options: dict, sample, generator) -> float:
    """Seconds per step of one run over all timesteps, including the wait for its result."""
    scheduler.set_timesteps(len(scheduler.timesteps))
    timesteps = list(scheduler.timesteps)
    started = time.perf_counter()
    result = sample
    for timestep in timesteps:
        result = scheduler.step(sample, timestep, result, generator=generator, return_dict=False, **options)[0]
    if isinstance(result, ms.Tensor):
        result.asnumpy()
    return (time.perf_counter() - started) / len(timesteps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="latent height and width; 128 is a 1024-pixel image")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    options = parser.parse_args()

    with contextlib.suppress(ImportError):
        from mindone_tcd.cpu import enable  # mindone's own steps need kernels that the CPU backend lacks

        enable()
    import mindone

    versions = [
        f"mindspore {ms.__version__}",
        f"mindone {getattr(mindone, '__version__', '?')}",
        f"numpy {np.__version__}",
    ]
    rng = np.random.Generator(np.random.PCG64(0))
    drawing = []
    for _ in range(options.rounds):
        started = time.perf_counter()
        noise = rng.standard_normal((1, 4, options.size, options.size))
        drawing.append(1e3 * (time.perf_counter() - started))
    entries = [
        (name, *entry, ms.Tensor(noise, getattr(ms, options.dtype)), Replay(noise))
        for name, entry in contestants(options.steps).items()
    ]
    torch_entries = torch_contestants(options.steps)
    if torch_entries:
        import diffusers
        import torch
        from diffusers.schedulers import scheduling_lcm, scheduling_tcd

        versions += [f"torch {torch.__version__}", f"diffusers {diffusers.__version__}"]
        sample = torch.from_numpy(noise).to(getattr(torch, options.dtype))
        for module in (scheduling_tcd, scheduling_lcm):
            module.randn_tensor = lambda shape, dtype=None, **_: torch.from_numpy(noise).to(dtype)
        entries += [(name, *entry, sample, None) for name, entry in torch_entries.items()]
    print(", ".join(versions))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    shape = f"(1, 4, {options.size}, {options.size})"
    print(f"sample {shape} {options.dtype}, {options.steps} steps, {options.rounds} rounds\n")

    times: dict[str, list[float]] = {name: [] for name, *_ in entries}
    for round_number in range(options.rounds + 1):
        for turn in rng.permutation(len(entries)):
            name, scheduler, extra, sample, generator = entries[turn]
            seconds = [run(scheduler, extra, sample, generator) for _ in range(6)]
            if round_number >= 1:
                times[name] += seconds[1:]
    medians = {name: 1e3 * statistics.median(values) for name, values in times.items()}

    print(f"generating the noise of one step: {statistics.median(drawing):.3f} ms (not in the times below)\n")
    print(f"{'':15} {'operations (casts, waits)':>34} {'ms a step: median':>19} {'least':>7}")
    print(f"{'':15} {'first step':>17}{'last step':>17}")
    for name, scheduler, extra, *_ in entries:
        cells = ["", ""]
        if "diffusers" not in name:
            for cell, place in enumerate((0, options.steps - 1)):
                scheduler.set_timesteps(options.steps)
                counts = operations_of_a_step(scheduler, place, getattr(ms, options.dtype), **extra)
                cells[cell] = f"{counts['operations']} ({counts['casts']}, {counts['waits']})"
        print(f"{name:15} {cells[0]:>17}{cells[1]:>17} {medians[name]:19.3f} {1e3 * min(times[name]):7.3f}")
    for kind in ("TCD", "LCM"):
        print(
            f"\n{kind}: {medians[f'{kind} mindone'] / medians[f'{kind} ours']:.1f} times faster than mindone's own",
            end="",
        )
    print()


if __name__ == "__main__":
    main()
