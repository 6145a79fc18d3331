import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.pipelines.plan import plan
from mindone_tcd.pipelines.recipes import SHAPES_FOLDER, Recipe
from mindone_tcd.pipelines.request import make_request
from mindone_tcd.pipelines.text_to_image import TextToImage

PROMPT = "a red circle on a blue background"


def request(method="tcd", prompt=PROMPT, **options):
    return make_request(*plan("shapes", method, None), prompt, **options)


def test_the_recipe_fills_in_what_is_not_said():
    made = request()
    assert (made.steps, made.guidance_scale, made.eta, made.width, made.height) == (4, 0.0, 0.3, 128, 128)
    assert request("lcm").eta is None


def test_what_is_said_counts():
    made = request(seed=5, count=3, steps=8, guidance_scale=2, eta=0, size=[192, np.int64(96)])
    assert (made.seeds, made.steps, made.guidance_scale, made.eta) == ((5, 6, 7), 8, 2.0, 0.0)
    assert (made.width, made.height) == (192, 96)
    assert json.dumps(made.as_record())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, r"steps is 0; expected a whole number from 1 to 50"),
        ({"steps": 51}, r"steps is 51; expected a whole number from 1 to 50"),
        ({"steps": 2.5}, r"steps is 2\.5"),
        ({"eta": 1.1}, r"eta is 1\.1; expected a number from 0 to 1"),
        ({"eta": -0.1}, r"eta is -0\.1"),
        ({"eta": float("nan")}, r"eta is nan"),
        ({"guidance_scale": -1}, r"guidance is -1"),
        ({"guidance_scale": float("inf")}, r"guidance is inf"),
        ({"seed": -1}, r"seed is -1; expected a whole number of 0 or more"),
        ({"seed": "x"}, r"seed is 'x'"),
        ({"seed": True}, r"seed is True"),
        ({"count": 0}, r"count is 0; expected a whole number of 1 or more"),
        ({"size": 100}, r"size 100 is not divisible by 8, the autoencoder's scale; try 96 or 104"),
        ({"size": (128, 3)}, r"size 3 is not divisible by 8.*try 8$"),
        ({"size": 0}, r"size is 0"),
        ({"size": (8, 8, 8)}, r"size is \(8, 8, 8\); expected a number of pixels, or a width and a height"),
        ({"prompt": 7}, r"prompt is 7; expected a text"),
        ({"negative_prompt": ["a"]}, r"negative_prompt is \['a'\]; expected a text"),
        ({"method": "lcm", "eta": 0.3}, r"lcm has no eta"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        request(**options)


def test_unknown_words_are_said_with_the_known_ones():
    with pytest.warns(UserWarning, match=r"never saw 'dragon'; it knows: circle, square.*red, green.*small"):
        request(prompt="a red dragon")


@pytest.mark.parametrize("size", [64, 256, (128, 88)])
def test_sizes_that_the_shipped_model_never_saw_are_said(size):
    with pytest.warns(UserWarning, match=r"learned pictures of 128x128; on .* take sides of 96 to 192"):
        request(size=size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(size=(96, 192))


def test_an_empty_prompt_is_said():
    with pytest.warns(UserWarning, match="the prompt is empty"):
        request(prompt=" ")


def test_a_negative_prompt_that_nothing_heeds_is_said():
    with pytest.warns(UserWarning, match="the negative prompt has no effect at guidance 0"):
        request(negative_prompt="a square")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(negative_prompt="a square", guidance_scale=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shapes", "ddim", None), "unknown method 'ddim'; choose one of: tcd, lcm"),
        (("shapes", "tcd", "nonsense"), "no LoRA 'nonsense'"),
        (("shapes", "tcd", 5), "lora is 5; expected a folder"),
        ((None, "tcd", None), "model is None; expected a folder"),
    ],
)
def test_plans_that_cannot_work(arguments, message):
    with pytest.raises(UsageError, match=message):
        plan(*arguments)


def test_published_loras_go_with_the_base():
    assert plan("stabilityai/stable-diffusion-xl-base-1.0", "tcd", None)[1].lora == "h1t/TCD-SDXL-LoRA"
    assert plan("runwayml/stable-diffusion-v1-5", "lcm", None)[1].lora == "latent-consistency/lcm-lora-sdv1-5"
    assert plan("shapes", "tcd", "none")[1].lora is None


def test_paths_serve_as_names_and_become_absolute(monkeypatch):
    monkeypatch.chdir(SHAPES_FOLDER)
    found, chosen = plan(Path("."), "tcd", Path("lcm_lora"))
    assert (found.location, chosen.lora) == (str(SHAPES_FOLDER), str(SHAPES_FOLDER / "lcm_lora"))


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True, "4"])
def test_a_batch_size_that_is_none(batch_size):
    found, chosen = plan("shapes", "tcd", None)
    paint = TextToImage(None, found, chosen, "float32")
    with pytest.raises(UsageError, match=r"batch_size is .*; expected a whole number of 1 or more"):
        paint(PROMPT, batch_size=batch_size)


def test_a_recipe_of_an_unknown_method():
    with pytest.raises(UsageError, match="unknown method 'ddim'"):
        Recipe("ddim", None)
