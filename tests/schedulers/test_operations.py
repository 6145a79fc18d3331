"""The number of device operations of a step, from the counter of the benchmarks."""

import importlib
from pathlib import Path

import mindspore as ms
import pytest

from mindone_tcd.schedulers import LCMScheduler, TCDScheduler


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        yield importlib.import_module("scheduler_step")


@pytest.mark.parametrize(("dtype", "casts"), [(ms.float32, 0), (ms.float16, 4), (ms.bfloat16, 4)])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize(
    ("scheduler", "options", "place", "most"),
    [
        (TCDScheduler, {"eta": 0.3}, 0, 5),
        (TCDScheduler, {"eta": 0.3}, 2, 5),
        (TCDScheduler, {"eta": 0.8}, 1, 5),
        (TCDScheduler, {"eta": 0.3}, 3, 3),
        (TCDScheduler, {"eta": 0.0}, 0, 3),
        (LCMScheduler, {}, 0, 5),
        (LCMScheduler, {}, 3, 3),
    ],
)
def test_a_step_needs_few_operations(benchmark, scheduler, options, place, most, kind, dtype, casts):
    sampler = scheduler(prediction_type=kind)
    sampler.set_timesteps(4)
    counts = benchmark.operations_of_a_step(sampler, place, dtype, **options)
    assert counts["operations"] == most, counts
    assert counts["casts"] <= casts, counts
    assert counts["waits"] == 0, counts


def test_the_counter_counts(benchmark):
    tensor = ms.Tensor([1.0, 2.0])
    with benchmark.counted() as counts:
        _ = (-tensor * 2 + tensor.astype(ms.float16)).sum().item()
        _ = ms.ops.exp(tensor) if tensor[0] > 0 else None
    assert counts["operations"] == 7  # neg, mul, add, sum, index, greater, exp
    assert counts["casts"] == 1
    assert counts["waits"] == 2
    with benchmark.counted() as counts:
        pass
    _ = tensor + tensor
    assert counts["operations"] == 0
