import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.files.images import InputImage
from mindone_tcd.generate.inputs import Inputs, Source
from mindone_tcd.generate.loaded import LoadedPipeline
from mindone_tcd.generate.plan import plan
from mindone_tcd.generate.recipes import Recipe
from mindone_tcd.generate.request import fitted, make_request, text_for
from mindone_tcd.shapes.folder import SHAPES_FOLDER

PROMPT = "a red circle on a blue background"


def planned(model, method, lora=None):
    setup = plan("text-to-image", model, method, lora)
    return setup.model, setup.recipe


def request(method="tcd", prompt=PROMPT, **options):
    found, chosen = planned("shapes", method)
    return make_request(found, chosen, prompt, **options)


def test_the_recipe_completes_omitted_arguments():
    made = request()
    assert (made.steps, made.guidance_scale, made.eta, made.width, made.height) == (4, 0.0, 0.3, 128, 128)
    assert request("lcm").eta is None


def test_explicit_arguments_override_the_recipe():
    made = request(seed=5, count=3, steps=8, guidance_scale=2, eta=0, size=[192, np.int64(96)])
    assert (made.seeds, made.steps, made.guidance_scale, made.eta) == ((5, 6, 7), 8, 2.0, 0.0)
    assert (made.width, made.height) == (192, 96)
    assert json.dumps(made.as_record())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, r"steps is 0; expected an integer from 1 to 50"),
        ({"steps": 51}, r"steps is 51; expected an integer from 1 to 50"),
        ({"steps": 2.5}, r"steps is 2\.5"),
        ({"eta": 1.1}, r"eta is 1\.1; expected a number from 0 to 1"),
        ({"eta": -0.1}, r"eta is -0\.1"),
        ({"eta": float("nan")}, r"eta is nan"),
        ({"guidance_scale": -1}, r"guidance is -1"),
        ({"guidance_scale": float("inf")}, r"guidance is inf"),
        ({"seed": -1}, r"seed is -1; expected an integer of at least 0"),
        ({"seed": 10**5000}, r"seed is an integer of more than 100 digits; expected at most 100 digits"),
        ({"guidance_scale": 10**5000}, r"guidance is an integer of more than 100 digits; expected a number from 0 to"),
        ({"steps": -(10**5000)}, r"steps is an integer of more than 100 digits; expected an integer from 1 to 50"),
        ({"seed": "x"}, r"seed is 'x'"),
        ({"seed": True}, r"seed is True"),
        ({"count": 0}, r"count is 0; expected an integer from 1 to 10000"),
        ({"count": 10**9}, r"count is 1000000000; expected an integer from 1 to 10000"),
        ({"size": 80000}, r"size is 80000; expected an integer from 1 to 8192"),
        ({"eta": True}, r"eta is True; expected a number from 0 to 1"),
        ({"eta": "0.3"}, r"eta is '0\.3'; expected a number from 0 to 1"),
        ({"prompt": "a red \udcff"}, r"prompt has '\\udcff', which is not a character"),
        ({"negative_prompt": "\udcff"}, r"negative_prompt has"),
        ({"size": 100}, r"size 100 is not divisible by 8, as the pipeline needs; try 96 or 104"),
        ({"size": (128, 3)}, r"size 3 is not divisible by 8.*try 8$"),
        ({"size": 0}, r"size is 0"),
        ({"size": (8, 8, 8)}, r"size is \(8, 8, 8\); expected a number of pixels, or a width and a height"),
        ({"prompt": 7}, r"prompt is 7; expected a string"),
        ({"negative_prompt": ["a"]}, r"negative_prompt is \['a'\]; expected a string"),
        ({"method": "lcm", "eta": 0.3}, r"lcm has no eta"),
    ],
)
def test_invalid_arguments_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        request(**options)


def test_a_warning_lists_unknown_and_known_words():
    with pytest.warns(UserWarning, match=r"does not know 'dragon'; it knows: circle, square.*red, green.*small"):
        request(prompt="a red dragon")
    with pytest.warns(UserWarning, match=r"does not know 'dragon'; it knows"):
        request(negative_prompt="a dragon", guidance_scale=2)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a red circle", r"^the prompt names no background, so the result is arbitrary; use a prompt such as"),
        ("blue", r"^the prompt names no shape and no background, so"),
        ("a red dragon", r"the model 'shapes' does not know 'dragon'; .* names no shape and no background$"),
    ],
)
def test_a_warning_names_missing_parts_of_a_prompt_in_one_line(prompt, message):
    with pytest.warns(UserWarning, match=message) as said:
        request(prompt=prompt)
    assert len(said) == 1
    assert "\n" not in str(said[0].message)


def test_other_models_accept_any_words(hub):
    found, chosen = planned(hub(SD, 768), "tcd", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_request(found, chosen, "a grey dragon")
    assert text_for(found, "a grey dragon") == "a grey dragon"


class _Pipeline:
    """Records the arguments of its calls."""

    scheduler = SimpleNamespace(observer=None)

    def __call__(self, **options):
        self.options = options
        return ([None] * options["num_images_per_prompt"],)


@pytest.mark.parametrize("prompt", ["a big grey disc on a blue background", "蓝色背景上的大灰色圆形"])
def test_the_pipeline_gets_trained_words_and_the_record_keeps_the_prompt(prompt, monkeypatch):
    pipe = _Pipeline()
    monkeypatch.setattr(LoadedPipeline, "_record", lambda self, request, seeds, k: request.as_record())
    made = LoadedPipeline(pipe, plan("text-to-image", "shapes", "tcd", None), "float32")(
        prompt, negative_prompt="a tiny plus", guidance_scale=2
    )
    assert pipe.options["prompt"] == "a large gray circle on a blue background"
    assert pipe.options["negative_prompt"] == "a small cross"
    assert (made[0].record["prompt"], made[0].record["negative_prompt"]) == (prompt, "a tiny plus")


def photo(width, height):
    given = InputImage(Image.new("RGB", (width, height)), None, "0" * 64)
    return Inputs((Source("image", given),), {"strength": 1.0})


@pytest.mark.parametrize(
    ("size", "multiple", "fit"),
    [
        ((128, 128), 8, (128, 128)),
        ((512, 512), 8, (128, 128)),
        ((160, 104), 8, (160, 104)),
        ((1600, 1040), 8, (160, 104)),
        ((300, 200), 8, (160, 104)),
        ((300, 200), 32, (160, 96)),
        ((200, 300), 32, (96, 160)),
        ((1, 1), 8, (128, 128)),
        ((32768, 8), 8, (8192, 8)),
        ((8, 32768), 32, (32, 8192)),
    ],
)
@pytest.mark.filterwarnings("ignore:the model 'shapes' was trained on images")
def test_an_input_image_keeps_its_proportions_with_the_models_area(size, multiple, fit):
    assert fitted(size, 128, multiple) == fit
    made = request(inputs=photo(*size), multiple=multiple)
    assert (made.width, made.height) == fit


@pytest.mark.parametrize("slot", ["image", "control"])
def test_an_explicit_size_takes_precedence(slot):
    (source,) = photo(300, 200).sources
    inputs = Inputs((replace(source, slot=slot),))
    assert (request(inputs=inputs).width, request(inputs=inputs, size=128).width) == (160, 128)
    with pytest.raises(UsageError, match="size 96 is not divisible by 64, as the pipeline needs; try 64 or 128"):
        request(inputs=inputs, size=96, multiple=64)


@pytest.mark.parametrize("slot", ["mask", "reference"])
def test_other_images_do_not_choose_the_size(slot):
    (source,) = photo(300, 200).sources
    made = request(inputs=Inputs((replace(source, slot=slot),)))
    assert (made.width, made.height) == (128, 128)


def test_the_image_to_start_from_chooses_the_size_before_a_control():
    (source,) = photo(300, 200).sources
    square = replace(photo(64, 64).sources[0], slot="control")
    assert request(inputs=Inputs((square, source))).width == 160


def test_a_model_without_a_size_needs_one_also_for_an_image(hub):
    found, chosen = planned(hub(SD, 768, sample_size=None), "tcd", None)
    with pytest.raises(UsageError, match="does not state the size that it was trained for; pass a size"):
        make_request(found, chosen, "a cat", inputs=photo(64, 64))


@pytest.mark.parametrize(
    ("steps", "strength", "least"), [(4, 0.2, 0.25), (3, 0.3, 0.34), (1, 0.99, 1), (50, 0.01, 0.02), (4, 0, 0.25)]
)
def test_a_strength_that_leaves_no_step(steps, strength, least):
    inputs = replace(photo(128, 128), numbers={"strength": strength})
    message = f"strength {strength:g} of {steps} steps leaves no step; choose a strength of at least {least:g}, or more"
    with pytest.raises(UsageError, match=message):
        request(steps=steps, inputs=inputs)
    request(steps=steps, inputs=replace(inputs, numbers={"strength": least}))


@pytest.mark.parametrize("steps", range(1, 51))
def test_the_named_strength_is_enough(steps):
    inputs = replace(photo(128, 128), numbers={"strength": 0})
    with pytest.raises(UsageError) as caught:
        request(steps=steps, inputs=inputs)
    least = float(re.search(r"at least ([\d.]+),", str(caught.value))[1])
    assert int(steps * least) >= 1
    request(steps=steps, inputs=replace(inputs, numbers={"strength": least}))


def test_an_empty_prompt_with_a_reference_causes_no_warning():
    (source,) = photo(128, 128).sources
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(prompt="", inputs=Inputs((replace(source, slot="reference"),)))


def test_the_record_of_inputs():
    (source,) = photo(128, 128).sources
    record = request(inputs=photo(128, 128)).as_record()
    assert record["strength"] == 1.0
    assert record["inputs"] == [source.as_record(False)]
    assert json.dumps(record)
    assert not {"inputs", "strength", "frames"} & set(request().as_record())


@pytest.mark.parametrize("size", [64, 256, (128, 88)])
def test_untrained_sizes_of_the_shipped_model_cause_a_warning(size):
    with pytest.warns(UserWarning, match=r"trained on images of 128x128; at .* use sides of 96 to 192"):
        request(size=size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(size=(96, 192))


def test_an_empty_prompt_causes_a_warning():
    with pytest.warns(UserWarning, match="the prompt is empty"):
        request(prompt=" ")


def test_a_negative_prompt_without_effect_causes_a_warning():
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
def test_invalid_plans_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        planned(*arguments)


SDXL, SD = "StableDiffusionXLPipeline", "StableDiffusionPipeline"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Register "owner/model" as a repository on the hub, with configurations that identify the model."""

    def publish(pipeline_class, cross_attention_dim, prediction_type="epsilon", **unet):
        files = {
            "model_index.json": {"_class_name": pipeline_class},
            "vae/config.json": {"block_out_channels": [128, 256, 512, 512]},
            "unet/config.json": {"sample_size": 64, "cross_attention_dim": cross_attention_dim, **unet},
            "scheduler/scheduler_config.json": {"prediction_type": prediction_type},
        }
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(json.dumps(content))
        return "owner/model"

    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda _name, file, *, subfolder, **_: tmp_path / (subfolder or "") / file
    )
    return publish


@pytest.mark.parametrize(
    ("pipeline_class", "width", "method", "lora"),
    [
        (SDXL, 2048, "tcd", "h1t/TCD-SDXL-LoRA"),
        (SDXL, 2048, "lcm", "latent-consistency/lcm-lora-sdxl"),
        (SD, 768, "tcd", "h1t/TCD-SD15-LoRA"),
        (SD, 768, "lcm", "latent-consistency/lcm-lora-sdv1-5"),
        (SD, 1024, "tcd", "h1t/TCD-SD21-base-LoRA"),
    ],
)
def test_published_loras_match_the_base_model(hub, pipeline_class, width, method, lora):
    found, chosen = planned(hub(pipeline_class, width), method, None)
    assert (chosen.lora, chosen.guidance_scale) == (lora, 0)
    made = make_request(found, chosen, "a cat")
    assert (made.width, made.height) == (512, 512)


def test_no_lora_with_lora_none(hub):
    assert planned("shapes", "tcd", "none")[1].lora is None
    assert planned(hub(SD, 1024, "v_prediction"), "tcd", "none")[1].lora is None


@pytest.mark.parametrize(
    ("model", "method", "message"),
    [
        (
            (SD, 1024),
            "lcm",
            r"no lcm LoRA is known for owner/model \(a StableDiff.*_dim 1024.*\); pass one as lora, or",
        ),
        ((SD, 1024, "v_prediction"), "tcd", r"no tcd LoRA is known .*prediction_type v_prediction\)"),
        (("AnimateDiffPipeline", 768), "tcd", r"is a AnimateDiffPipeline; expected a pipeline that generates from"),
    ],
)
def test_models_that_no_published_lora_fits(hub, model, method, message):
    with pytest.raises(UsageError, match=message):
        planned(hub(*model), method, None)


def test_latent_consistency_models_need_no_lora(hub):
    name = hub("LatentConsistencyModelPipeline", 768, time_cond_proj_dim=256)
    found, chosen = planned(name, "lcm", None)
    assert (chosen.lora, chosen.guidance_scale) == (None, 8)
    with pytest.warns(UserWarning, match="the negative prompt has no effect with this model"):
        make_request(found, chosen, "a cat", negative_prompt="a dog")
    with pytest.raises(UsageError, match="owner/model is a latent consistency model; choose the method lcm"):
        planned(name, "tcd", None)


def test_a_model_without_a_size_in_its_configuration(hub):
    found, chosen = planned(hub(SD, 768, sample_size=None), "tcd", None)
    with pytest.raises(UsageError, match="owner/model does not state the size that it was trained for; pass a size"):
        make_request(found, chosen, "a cat")
    assert make_request(found, chosen, "a cat", size=256).width == 256


def test_paths_are_accepted_and_become_absolute(monkeypatch):
    monkeypatch.chdir(SHAPES_FOLDER)
    found, chosen = planned(Path("."), "tcd", Path("lcm_lora"))
    assert (found.location, chosen.lora) == (str(SHAPES_FOLDER), str(SHAPES_FOLDER / "lcm_lora"))


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True, "4"])
def test_invalid_batch_sizes(batch_size):
    pipe = LoadedPipeline(None, plan("text-to-image", "shapes", "tcd", None), "float32")
    with pytest.raises(UsageError, match=r"batch_size is .*; expected an integer of at least 1"):
        pipe(PROMPT, batch_size=batch_size)


def test_a_recipe_of_an_unknown_method():
    with pytest.raises(UsageError, match="unknown method 'ddim'"):
        Recipe("ddim", None)
