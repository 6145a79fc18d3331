import mindspore as ms
import numpy as np
import pytest
from kinds import EVERY

from mindone_tcd.random import generator, randn
from mindone_tcd.schedulers import LCMScheduler, TCDScheduler

SAMPLE = randn((1, 4, 4, 4), generator(0))


def scheduler_for(kind, *args, **options):
    scheduler = kind()
    scheduler.set_timesteps(*args, **options)
    return scheduler


def at(scheduler, timestep):
    return scheduler.step(SAMPLE, timestep, SAMPLE, generator=generator(0))[0].asnumpy()


@EVERY
def test_known_grids(kind):
    grids = {1: [999], 2: [999, 499], 4: [999, 759, 499, 259], 8: [999, 879, 759, 639, 499, 379, 259, 139]}
    for steps, grid in grids.items():
        assert scheduler_for(kind, steps).timesteps_list == grid
    assert scheduler_for(kind, 4, strength=0.5).timesteps_list == [499, 379, 259, 139]


def test_a_grid_length_gives_only_tcd_access_to_all_timesteps():
    assert scheduler_for(TCDScheduler, 4, original_inference_steps=50).timesteps_list == [999, 749, 499, 249]
    assert scheduler_for(LCMScheduler, 4, original_inference_steps=50).timesteps_list == [999, 759, 499, 259]


@EVERY
@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {}, "exactly one"),
        ((4,), {"timesteps": [999]}, "exactly one"),
        ((0,), {}, "num_inference_steps is 0; expected an integer of at least 1"),
        ((-1,), {}, "at least 1"),
        ((4.0,), {}, "num_inference_steps is 4.0; expected an integer"),
        ((True,), {}, "expected an integer"),
        ((51,), {}, "allow at most 50"),
        ((1001,), {}, "allow at most 50"),
        ((4,), {"strength": 0.0}, r"strength is 0.0; expected a number within \(0, 1\]"),
        ((4,), {"strength": 1.5}, "strength is 1.5"),
        ((30,), {"strength": 0.5}, "a higher strength"),
        ((1,), {"strength": 0.0001}, "allow at most 0"),
        ((4,), {"original_inference_steps": 0}, "original_inference_steps is 0"),
        ((4,), {"original_inference_steps": 1001}, "at most num_train_timesteps=1000"),
        ((4,), {"original_inference_steps": 3}, "allow at most 3"),
        ((), {"timesteps": []}, "timesteps is empty"),
        ((), {"timesteps": [259, 499]}, "strictly descending"),
        ((), {"timesteps": [499, 499]}, "strictly descending"),
        ((), {"timesteps": [1000, 499]}, "expected values from 999 down to 0"),
        ((), {"timesteps": [999, -1]}, "expected values from 999 down to 0"),
        ((), {"timesteps": [999, 499.5]}, "one of timesteps is 499.5; expected an integer"),
        ((), {"timesteps": [999, 499], "strength": 0.3}, "leaves no step"),
    ],
)
def test_bad_timesteps_are_refused(kind, args, options, message):
    with pytest.raises(ValueError, match=message):
        kind().set_timesteps(*args, **options)


@EVERY
def test_a_second_positional_argument_is_refused(kind):
    with pytest.raises(TypeError):
        kind().set_timesteps(4, 50)


@EVERY
@pytest.mark.parametrize("make", [list, tuple, np.asarray, ms.Tensor])
def test_custom_timesteps_of_any_kind(kind, make):
    scheduler = scheduler_for(kind, timesteps=make([999, 759, 259]))
    assert scheduler.timesteps_list == [999, 759, 259]
    assert scheduler.custom_timesteps
    scheduler.set_timesteps(2)
    assert not scheduler.custom_timesteps


@EVERY
def test_unusual_custom_timesteps_cause_a_warning(kind, caplog):
    scheduler_for(kind, timesteps=[999, 759, 259])
    assert not caplog.records
    scheduler_for(kind, timesteps=[950, 700])
    assert "first timestep is 950" in caplog.text
    assert "not distilled on the timesteps [950, 700]" in caplog.text
    scheduler_for(kind, timesteps=range(999, 899, -1))
    assert "100 timesteps are more than the 50" in caplog.text


@EVERY
@pytest.mark.parametrize(
    "form", [int, np.int64, float, lambda t: ms.Tensor(t, ms.int64), lambda t: ms.Tensor([t], ms.int32), np.array]
)
def test_timesteps_in_any_order_and_form(kind, form):
    scheduler = scheduler_for(kind, 4)
    expected = {t.item(): at(scheduler, t) for t in scheduler.timesteps}
    for t in (499, 999, 999, 259, 759):
        assert np.array_equal(at(scheduler, form(t)), expected[t])


@EVERY
def test_begin_index_sets_the_order_of_steps(kind):
    scheduler = scheduler_for(kind, 4)
    expected = [at(scheduler, t) for t in scheduler.timesteps]
    scheduler.set_timesteps(4)
    scheduler.set_begin_index(2)
    assert scheduler.step_index is None
    assert scheduler.begin_index == 2
    plain = [ms.Tensor(t, ms.int64) for t in scheduler.timesteps_list[2:]]
    assert np.array_equal(at(scheduler, plain[0]), expected[2])
    assert scheduler.step_index == 3
    assert np.array_equal(at(scheduler, plain[1]), expected[3])
    with pytest.raises(ValueError, match="all 4 steps are done"):
        at(scheduler, plain[1])
    scheduler.set_timesteps(4)
    assert scheduler.begin_index is None
    assert scheduler.step_index is None


@EVERY
def test_bad_begin_index_is_refused(kind):
    for begin in (4, -1, 1.5):
        with pytest.raises(ValueError, match="begin_index is"):
            scheduler_for(kind, 4).set_begin_index(begin)


@EVERY
def test_no_step_waits_for_the_device(kind, monkeypatch):
    scheduler = scheduler_for(kind, 8)
    waits = []
    for name in ("asnumpy", "item", "tolist", "__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(ms.Tensor, name, lambda self, *args, _name=name: waits.append(_name))
    for timesteps in (scheduler.timesteps, scheduler.timesteps[3:], [scheduler.timesteps[-2]]):
        for timestep in timesteps:
            scheduler.step(SAMPLE, timestep, SAMPLE)
    scheduler.set_timesteps(8)
    scheduler.set_begin_index(3)
    scheduler.step(SAMPLE, ms.Tensor(639), SAMPLE)
    assert waits == []


@EVERY
def test_previous_timestep(kind):
    scheduler = kind()
    assert scheduler.previous_timestep(10) == 9
    scheduler.set_timesteps(4)
    assert [scheduler.previous_timestep(t) for t in (999, 759, 499, 259)] == [759, 499, 259, -1]
    following = scheduler.previous_timestep(scheduler.timesteps[0])
    assert isinstance(following, ms.Tensor)
    assert following.asnumpy() == 759
    with pytest.raises(ValueError, match="expected one of"):
        scheduler.previous_timestep(3)


@EVERY
def test_before_set_timesteps_all_are_listed(kind):
    scheduler = kind(num_train_timesteps=100)
    assert len(scheduler) == 100
    assert scheduler.timesteps.asnumpy().tolist() == list(range(99, -1, -1))
    assert scheduler.num_inference_steps is None


@EVERY
@pytest.mark.parametrize("given", [-5, "x", 9999])
def test_invalid_grid_lengths_are_refused_with_timesteps_too(kind, given):
    for options in ({"num_inference_steps": 2}, {"timesteps": [999, 500]}):
        with pytest.raises(ValueError, match=f"original_inference_steps is {given!r}; expected"):
            kind().set_timesteps(original_inference_steps=given, **options)


@EVERY
def test_samples_that_are_no_float_tensors_are_refused(kind):
    scheduler = scheduler_for(kind, 2)
    integers = ms.Tensor(np.ones((1, 4, 4, 4), np.int32))
    for output, sample, message in (
        (SAMPLE, integers, "sample is a tensor of Int32; expected a MindSpore tensor of floating-point numbers"),
        (integers, SAMPLE, "model_output is a tensor of Int32"),
        (SAMPLE, SAMPLE.asnumpy(), "sample is of type ndarray"),
    ):
        with pytest.raises(TypeError, match=message):
            scheduler.step(output, 999, sample)
    assert scheduler.step_index is None


@EVERY
@pytest.mark.parametrize("form", ["tuple", "output"])
def test_an_observer_sees_each_step_and_changes_nothing(kind, form):
    scheduler, plain, seen = scheduler_for(kind, 3), scheduler_for(kind, 3), []
    scheduler.observer = lambda index, denoised: seen.append((index, denoised))
    x, y = SAMPLE, SAMPLE
    for k, timestep in enumerate(scheduler.timesteps_list):
        options = {"return_dict": form == "output"}
        made = scheduler.step(SAMPLE, timestep, x, generator=generator(k), **options)
        x = made[0] if form == "tuple" else made.prev_sample
        y, denoised = plain.step(SAMPLE, timestep, y, generator=generator(k), return_dict=False)
        assert np.array_equal(x.asnumpy(), y.asnumpy())
        assert seen[-1][0] == k
        assert np.array_equal(seen[-1][1].asnumpy(), denoised.asnumpy())
    assert len(seen) == 3
    scheduler.observer = None
    scheduler.set_timesteps(1)
    at(scheduler, 999)
    assert len(seen) == 3


@EVERY
def test_an_observer_counts_from_the_first_step_that_is_done(kind):
    scheduler, seen = scheduler_for(kind, 4), []
    scheduler.observer = lambda index, denoised: seen.append(index)
    scheduler.set_begin_index(2)
    for timestep in scheduler.timesteps_list[2:]:
        at(scheduler, ms.Tensor(timestep))
    assert seen == [0, 1]


@EVERY
def test_an_observer_is_no_part_of_the_configuration(kind):
    scheduler = kind()
    scheduler.observer = print
    assert "observer" not in scheduler.config
    assert kind.from_config(scheduler.config).observer is None
