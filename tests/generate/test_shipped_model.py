"""The shipped model in mindone's SDXL pipeline equals diffusers on torch, and follows its prompts."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from mindone_tcd.schedulers.methods import DEFAULT_METHOD, METHODS
from mindone_tcd.selftest.cases import CASES, arguments, known, stored_pixels, streams
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.shapes.judge import judge

ROOT = Path(__file__).resolve().parents[2]

# Both sides compute in float32 with different kernels. Pixels in [0, 1] then differ by a few 1e-6, and by up to a few
# 1e-5 if guidance amplifies the difference. A wrong constant or random number moves them by 1e-2 or more.
TOLERANCE = 1e-4


def _reference_script():
    spec = importlib.util.spec_from_file_location("reference_images", ROOT / "tools" / "reference" / "known_images.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pipelines():
    """Loaded pipelines by method and LoRA, each loaded once."""
    from mindone_tcd import load

    loaded = {}

    def get(method: str, lora: bool = True):
        if (method, lora) not in loaded:
            loaded[method, lora] = load(method=method, lora=None if lora else "none")
            loaded[method, lora].pipeline.set_progress_bar_config(disable=True)
        return loaded[method, lora]

    return get


def _ours(pipelines, case: dict) -> np.ndarray:
    pipe = pipelines(case["method"], case.get("lora", True)).pipeline
    return stored_pixels(pipe(generator=streams(), **arguments(case))[0])


QUICK = ("tcd-4", "lcm-2-guidance-2")
"""Cases that plain pytest runs. The others are marked slow."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_equal_to_the_stored_images_of_diffusers(pipelines, name):
    np.testing.assert_allclose(_ours(pipelines, CASES[name]), known()[name], rtol=0, atol=TOLERANCE)


@pytest.mark.parity
def test_equal_to_diffusers_live(pipelines):
    for name, theirs in _reference_script().make().items():
        ours = _ours(pipelines, CASES[name])
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method.name, marks=[] if method.name == DEFAULT_METHOD else pytest.mark.slow)
        for method in METHODS.values()
        if method.shipped_lora
    ],
)
def test_the_image_matches_the_prompt(pipelines, method):
    prompt = "a red circle on a blue background"
    result = pipelines(method)(prompt, seed=3)[0]
    verdict = judge(np.asarray(result.image) / 255, parse(prompt))
    assert verdict.right, verdict


def test_an_image_does_not_depend_on_its_batch(pipelines):
    pipe = pipelines("tcd")
    prompt = "a green square on a white background"
    together = pipe(prompt, seed=20, count=3, steps=2)
    alone = pipe(prompt, seed=21, steps=2)[0]
    # A value near the middle between two 8-bit values can be rounded either way, so they differ by at most 1.
    away = np.abs(np.asarray(together[1].image, np.int16) - np.asarray(alone.image, np.int16))
    assert away.max() <= 1
    assert [p.record["seed"] for p in together] == [20, 21, 22]
    assert np.abs(np.asarray(together[0].image, np.int16) - np.asarray(together[1].image, np.int16)).max() > 50


@pytest.mark.slow
def test_latents_of_a_batch_equal_those_generated_alone(pipelines):
    from mindone_tcd.random import generators

    pipe = pipelines("tcd").pipeline
    options = {"num_inference_steps": 4, "guidance_scale": 0, "eta": 0.3, "output_type": "np"}
    prompt = "a green square on a white background"
    together = pipe([prompt] * 2, generator=generators(20, 2), **options)[0]
    alone = pipe(prompt, generator=generators(21, 1), **options)[0]
    # Matrix products of another batch size sum in another order.
    np.testing.assert_allclose(together[1], alone[0], rtol=0, atol=1e-4)


def test_another_size_than_the_default(pipelines):
    result = pipelines("tcd")("a red circle on a blue background", size=(96, 64), steps=1)[0]
    assert result.image.size == (96, 64)


def test_the_negative_prompt_has_an_effect_with_guidance(pipelines):
    pipe = pipelines("tcd")
    options = {"steps": 1, "guidance_scale": 3.0, "seed": 1}
    plain = pipe("a red circle on a blue background", **options)[0]
    negative = pipe("a red circle on a blue background", negative_prompt="a white star", **options)[0]
    assert (np.asarray(plain.image) != np.asarray(negative.image)).any()


def test_the_record_distinguishes_the_recipes_lora_from_a_named_one(tmp_path):
    from mindone_tcd import SHAPES_FOLDER, load

    for method, lora, recorded in (
        ("tcd", SHAPES_FOLDER / "tcd_lora", "shipped"),
        ("tcd", SHAPES_FOLDER / "lcm_lora", "lcm_lora"),
    ):
        pipe = load(method=method, lora=lora)
        pipe.pipeline.set_progress_bar_config(disable=True)
        assert pipe("a red circle", steps=1)[0].record["lora"] == recorded


def test_load_with_a_latent_consistency_model(tmp_path):
    from mindone_tcd import load
    from mindone_tcd.tiny_models import make

    pipe = load(model=make("lcm-sd15", tmp_path / "lcm"), method="lcm")
    pipe.pipeline.set_progress_bar_config(disable=True)
    weak, strong = (pipe("a cat", steps=2, guidance_scale=scale)[0] for scale in (None, 2))
    assert (weak.image.size, weak.record["guidance_scale"], weak.record["lora"]) == ((64, 64), 8.0, None)
    assert (np.asarray(weak.image) != np.asarray(strong.image)).any()


def test_float16_runs_and_is_close_to_float32(pipelines):
    from mindone_tcd import load

    half = load(dtype="float16")
    half.pipeline.set_progress_bar_config(disable=True)
    prompt = "a red circle on a blue background"
    a = np.asarray(half(prompt, seed=3, steps=1)[0].image, np.int16)
    b = np.asarray(pipelines("tcd")(prompt, seed=3, steps=1)[0].image, np.int16)
    # float16 has 11 bits, so a step and the decoder cause errors of a few 8-bit levels.
    assert np.abs(a - b).mean() < 2.0
    assert half.dtype == "float16"


def test_invalid_arguments_of_load():
    from mindone_tcd import UsageError, load

    for options, message in (
        ({"task": "text-to-song"}, "unknown task 'text-to-song'; choose one of: text-to-image"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
        ({"dtype": "bfloat16"}, "bfloat16 does not run on a CPU"),
        ({"model": "nobody/nothing", "lora": "none"}, "cannot fetch the model 'nobody/nothing'"),
        ({"lora": "nobody/nothing"}, "cannot fetch the LoRA 'nobody/nothing'"),
    ):
        with pytest.raises(UsageError, match=message):
            load(**options)
