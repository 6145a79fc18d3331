"""Checks of a pipeline call before any work starts, and the defaults that complete it."""

import contextlib
import inspect
import warnings

import numpy as np
import pytest
from untouched import Untouched, stop

import mindone_tcd
from mindone_tcd import LCMScheduler, TCDScheduler, UsageError, cpu, exports
from mindone_tcd.concurrency import OneAtATime, one_at_a_time
from mindone_tcd.generate.loaded import LoadedPipeline
from mindone_tcd.patches import pipeline_classes
from mindone_tcd.schedulers.methods import METHODS

PROMPT = "a red circle on a blue background"


@pytest.fixture
def with_scheduler(idle):
    kept = idle.scheduler

    def use(scheduler, **options):
        idle.scheduler = scheduler.from_config(kept.config, **options)
        return idle

    yield use
    idle.scheduler = kept


def run(pipe, **options):
    options = {"num_inference_steps": 2, "guidance_scale": 0, "output_type": "latent", **options}
    return pipe(PROMPT, generator=np.random.Generator(np.random.PCG64(5)), **options)[0]


def test_the_default_eta_is_the_schedulers(pipe):
    default, own, none = run(pipe), run(pipe, eta=0.3), run(pipe, eta=0.0)
    assert (default.asnumpy() == own.asnumpy()).all()
    assert np.abs(default.asnumpy() - none.asnumpy()).max() > 0.1


def test_an_eta_without_effect_is_refused(with_scheduler):
    with pytest.raises(UsageError, match=r"eta is 0\.3, but LCMScheduler has no eta; leave it out, or use TCD"):
        run(with_scheduler(LCMScheduler), eta=0.3)


@pytest.mark.parametrize("eta", [-0.1, 1.5, float("nan"), "0.3", True])
def test_eta_out_of_range(with_scheduler, eta):
    with pytest.raises(UsageError, match=r"eta is .*; expected a number from 0"):
        run(with_scheduler(TCDScheduler), eta=eta)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numpys_numbers_are_numbers(pipe, kind):
    plain = run(pipe, eta=0.25, guidance_scale=2, denoising_end=0.5)
    numpys = run(pipe, eta=kind(0.25), guidance_scale=kind(2), denoising_end=kind(0.5))
    assert (numpys.asnumpy() == plain.asnumpy()).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numpys_numbers_are_checked(idle, kind):
    with pytest.raises(UsageError, match=r"eta is .*; expected a number from 0"):
        run(idle, eta=kind(1.5))
    with pytest.warns(UserWarning, match="no effect at guidance_scale 1"), pytest.raises(Untouched):
        run(idle, guidance_scale=kind(1), negative_prompt="a star")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"num_inference_steps": 51}, "num_inference_steps is 51, but original_inference_steps=50"),
        ({"timesteps": [1, 500]}, "descending"),
        ({"num_inference_steps": 2.5}, "num_inference_steps is 2.5"),
    ],
)
def test_numbers_of_steps_that_cannot_work(with_scheduler, options, message):
    for scheduler in (method.scheduler_class() for method in METHODS.values()):
        with pytest.raises(UsageError, match=message):
            run(with_scheduler(scheduler), **options)


def test_valid_calls_pass(with_scheduler):
    for scheduler in (method.scheduler_class() for method in METHODS.values()):
        for options in ({}, {"num_inference_steps": 50}, {"timesteps": [999, 499]}):
            pipe = with_scheduler(scheduler)
            before = pipe.scheduler.timesteps_list
            with pytest.raises(Untouched):
                run(pipe, **options)
            assert pipe.scheduler.timesteps_list == before


def test_an_unknown_argument_name_is_refused(idle):
    with pytest.raises(UsageError, match=r"no argument 'inference_steps' .*; did you mean num_inference_steps\?"):
        idle(PROMPT, inference_steps=4)
    with pytest.raises(Untouched):
        run(idle, callback_steps=1)


@pytest.fixture(scope="module")
def img2img(pipe):
    from mindone_tcd import AutoPipelineForImage2Image

    return AutoPipelineForImage2Image.from_pipe(pipe)


def test_strength_that_leaves_no_step(img2img):
    image = np.zeros((1, 128, 128, 3), np.float32)
    with pytest.raises(UsageError, match=r"strength 0\.2 of 4 steps leaves no step to take; use at least 5 steps, or"):
        run(img2img, image=image, strength=0.2, num_inference_steps=4)
    for strength in (0, 1.1, -1, "half"):
        with pytest.raises(UsageError, match=r"strength is .*; expected a number above 0"):
            run(img2img, image=image, strength=strength)
    # One step remains, and denoising_start replaces the strength.
    for options in ({"strength": 0.25}, {"strength": 0.1, "denoising_start": 0.5}):
        assert np.isfinite(run(img2img, image=image, num_inference_steps=4, **options).asnumpy()).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numpys_strengths_and_starts(img2img, kind):
    image = np.zeros((1, 128, 128, 3), np.float32)

    def found(**options):
        return run(img2img, image=image, num_inference_steps=2, **options).asnumpy()

    np.testing.assert_array_equal(found(strength=kind(0.5)), found(strength=0.5))
    np.testing.assert_array_equal(found(denoising_start=kind(0.5)), found(denoising_start=0.5))
    with pytest.raises(UsageError, match=r"strength 0\.125 of 2 steps leaves no step"):
        found(strength=kind(0.125))
    with pytest.raises(UsageError, match="expected a number above 0"):
        found(strength=kind(1.5))


def test_parts_of_the_steps_that_leave_none(img2img, monkeypatch):
    monkeypatch.setattr(img2img, "encode_prompt", stop)
    image = np.zeros((1, 128, 128, 3), np.float32)

    def refused(message, **options):
        with pytest.raises(UsageError, match=message):
            run(img2img, **{"image": image, "num_inference_steps": 4} | options)

    # The steps are at 999, 759, 499 and 259.
    leaves = r"denoising_start 0\.9999 of 4 steps leaves no step to take; use a denoising_start of at most 0\.74"
    refused(leaves, denoising_start=0.9999)
    refused(leaves.replace("9999", "741"), denoising_start=0.741)
    refused(
        "denoising_start 0.1 of 1 steps leaves no step to take; use more", denoising_start=0.1, num_inference_steps=1
    )
    for start in (0, 0.0, 1.0, 1, "half"):
        refused("denoising_start is .*; expected None, or a float above 0 and below 1", denoising_start=start)
    refused(r"denoising_end 0\.2 leaves .* at least 0\.501", denoising_start=0.5, denoising_end=0.2)
    refused(r"denoising_end 0\.2 leaves .* at least 0\.501", strength=0.5, denoising_end=0.2)
    for options in ({"denoising_start": 0.74}, {"denoising_start": 0.4, "denoising_end": 0.501}):
        with pytest.raises(Untouched):
            run(img2img, image=image, num_inference_steps=4, **options)


def test_the_largest_denoising_start_runs_one_step(img2img):
    image = np.zeros((1, 128, 128, 3), np.float32)
    assert np.isfinite(run(img2img, image=image, num_inference_steps=4, denoising_start=0.74).asnumpy()).all()
    assert img2img.scheduler.begin_index == 3


@pytest.mark.parametrize("scale", [0, 0.5, 1])
def test_a_negative_prompt_without_effect(idle, scale):
    message = f"no effect at guidance_scale {scale:g}; it needs a scale above 1"
    for given in (
        {"negative_prompt": "a star"},
        {"negative_prompt_2": ["a star"]},
        {"negative_prompt": ["", "a star"]},
    ):
        with pytest.warns(UserWarning, match=message), pytest.raises(Untouched):
            run(idle, guidance_scale=scale, **given)


def test_a_warning_names_the_line_of_the_call(idle):
    with pytest.warns(UserWarning, match="no effect") as seen, pytest.raises(Untouched):
        idle(PROMPT, negative_prompt="a star", guidance_scale=0)
    called = inspect.currentframe().f_lineno - 1
    assert (seen[0].filename, seen[0].lineno) == (__file__, called)


def test_a_negative_prompt_and_an_embedded_guidance_scale(idle, monkeypatch):
    monkeypatch.setitem(idle.unet._internal_dict, "time_cond_proj_dim", 32)
    with pytest.warns(UserWarning, match="takes the guidance scale as an input"), pytest.raises(Untouched):
        run(idle, negative_prompt="a star", guidance_scale=8)


def test_a_valid_call_causes_no_warning(idle):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(Untouched):
            run(idle, negative_prompt="a star", negative_prompt_2="a heart", guidance_scale=3)
        for given in ({}, {"negative_prompt": ""}, {"negative_prompt": [""]}, {"negative_prompt_2": ["", ""]}):
            with pytest.raises(Untouched):
                run(idle, **given)


@pytest.mark.parametrize(
    ("scheduler", "ignored", "taken"),
    [("EulerDiscreteScheduler", [0.3, 1], [0, 0.0, None]), ("DDIMScheduler", [], [0.0, 0.3, 1])],
)
def test_eta_and_the_schedulers_of_mindone(with_scheduler, scheduler, ignored, taken):
    pipe = with_scheduler(getattr(mindone_tcd, scheduler))
    for eta in ignored:
        with pytest.raises(UsageError, match=f"eta is {eta}, but {scheduler} has no eta; leave it out, or use TCD"):
            run(pipe, eta=eta)
    for eta in taken:
        with pytest.raises(Untouched):
            run(pipe, eta=eta)


def test_steps_and_names_are_not_checked_with_schedulers_of_mindone(with_scheduler):
    pipe = with_scheduler(mindone_tcd.EulerDiscreteScheduler)
    for options in ({"num_inference_steps": 51}, {"no_such_name": 1}):
        with pytest.raises(Untouched):
            run(pipe, **options)


@pytest.fixture
def entered(monkeypatch):
    """The number of times that the MindSpore lock was acquired."""
    times = []
    enter = OneAtATime.__enter__
    monkeypatch.setattr(OneAtATime, "__enter__", lambda self: (times.append(1), enter(self))[1])
    return times


def test_a_call_holds_the_lock_to_its_end(pipe):
    held = []

    def look(pipe, step, timestep, tensors):
        held.append(one_at_a_time.held())
        return tensors

    run(pipe, callback_on_step_end=look)
    assert held == [True, True]
    assert not one_at_a_time.held()


def test_a_call_that_fails_releases_the_lock(idle):
    with pytest.raises(Untouched):
        run(idle)
    with pytest.raises(UsageError):
        run(idle, eta=2)
    assert not one_at_a_time.held()


@pytest.mark.parametrize("name", sorted(pipeline_classes._COMPUTING - {"decode_latents"}))
def test_other_methods_of_a_pipeline_acquire_the_lock(pipe, entered, name):
    with contextlib.suppress(Exception):  # their inputs are missing: it is enough that they start
        getattr(pipe, name)()
    assert entered, f"{name} does not take the lock"
    assert not one_at_a_time.held()


ENTRIES = {
    "load": lambda pipe: mindone_tcd.load(dtype="bfloat16"),
    "a name of mindone": lambda pipe: exports.get("DDIMScheduler"),
    "from_pretrained": lambda pipe: type(pipe).from_pretrained("/nowhere"),
    "a model's from_pretrained": lambda pipe: type(pipe.unet).from_pretrained("/nowhere"),
    "load_lora_weights": lambda pipe: pipe.load_lora_weights("/nowhere"),
    "load_ip_adapter": lambda pipe: pipe.load_ip_adapter("/nowhere"),
    "unload_lora": lambda pipe: pipe.unet.unload_lora(),
    "compile_pipeline": lambda pipe: mindone_tcd.compile_pipeline(pipe, form="none"),
    "uncompile_pipeline": lambda pipe: mindone_tcd.uncompile_pipeline(pipe),
    "cpu.enable": lambda pipe: cpu.enable(),
    "make_batch": lambda pipe: LoadedPipeline.make_batch(None, None, ()),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_functions_that_load_change_or_compile_acquire_the_lock(pipe, entered, name):
    with contextlib.suppress(Exception):
        ENTRIES[name](pipe)
    assert entered, f"{name} does not take the lock"
    assert not one_at_a_time.held()
