"""The settings and the LoRA that belong to a method and a model."""

from dataclasses import replace

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate.families import FAMILIES
from mindone_tcd.generate.recipes import Recipe, lora_of, recipe
from mindone_tcd.schedulers.methods import Method, register_method
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER

SDXL = Model("owner/xl", "owner/xl", False, "StableDiffusionXLPipeline", cross_attention_dim=2048)
SHIPPED = Model(SHAPES, str(SHAPES_FOLDER), True, "StableDiffusionXLPipeline", cross_attention_dim=128)
EMBEDDED = replace(SDXL, guidance_embedded=True)


def test_a_methods_own_settings():
    assert recipe("tcd", SDXL) == Recipe("tcd", None, steps=4, guidance_scale=0.0, eta=0.3)
    assert recipe("lcm", SDXL) == Recipe("lcm", None, steps=4, guidance_scale=0.0, eta=None)


def test_a_latent_consistency_model_takes_the_embedded_guidance():
    assert recipe("lcm", EMBEDDED) == Recipe("lcm", None, guidance_scale=8.0)
    with pytest.raises(UsageError, match=r"^owner/xl is a latent consistency model; choose the method lcm$"):
        recipe("tcd", EMBEDDED)


def test_an_embedded_guidance_of_zero_is_one(added_methods):
    register_method(Method("zero", "some.module:ZeroScheduler", guidance_scale=2.0, embedded_guidance_scale=0.0))
    assert recipe("zero", SDXL).guidance_scale == 2.0
    assert recipe("zero", EMBEDDED).guidance_scale == 0.0
    with pytest.raises(UsageError, match=r"choose the method lcm or zero$"):
        recipe("tcd", EMBEDDED)


def test_only_pipelines_of_a_known_family():
    for name in (name for names in FAMILIES.values() for name in names):
        assert recipe("lcm", replace(SDXL, pipeline_class=name)).method == "lcm"
    with pytest.raises(UsageError, match=r"^owner/xl is a FluxPipeline; expected .* mindone_tcd$"):
        recipe("lcm", replace(SDXL, pipeline_class="FluxPipeline"))


@pytest.mark.parametrize(
    "ask", [lambda: Recipe("ddim", None), lambda: recipe("ddim", SDXL), lambda: lora_of("x", SDXL)]
)
def test_an_unknown_method(ask):
    with pytest.raises(UsageError, match=r"^unknown method '\w+'; choose one of: tcd, lcm$"):
        ask()


@pytest.mark.parametrize(
    ("method", "pipeline", "width", "lora"),
    [
        ("tcd", "StableDiffusionXLPipeline", 2048, "h1t/TCD-SDXL-LoRA"),
        ("tcd", "StableDiffusionPipeline", 768, "h1t/TCD-SD15-LoRA"),
        ("tcd", "StableDiffusionPipeline", 1024, "h1t/TCD-SD21-base-LoRA"),
        ("lcm", "StableDiffusionXLPipeline", 2048, "latent-consistency/lcm-lora-sdxl"),
        ("lcm", "StableDiffusionPipeline", 768, "latent-consistency/lcm-lora-sdv1-5"),
    ],
)
@pytest.mark.parametrize("prediction", [None, "epsilon"])
def test_the_published_loras(method, pipeline, width, lora, prediction):
    model = replace(SDXL, pipeline_class=pipeline, cross_attention_dim=width, prediction_type=prediction)
    assert lora_of(method, model) == lora


@pytest.mark.parametrize(
    "model",
    [
        replace(SDXL, prediction_type="v_prediction"),
        replace(SDXL, cross_attention_dim=1280),
        replace(SDXL, cross_attention_dim=None),
        replace(SDXL, pipeline_class="StableDiffusionPipeline"),
    ],
)
def test_a_model_without_a_known_lora(model):
    with pytest.raises(UsageError, match=r"^no tcd LoRA is known for owner/xl \(a .*\); pass one as lora, or 'none'$"):
        lora_of("tcd", model)


def test_models_and_methods_that_need_no_lora(added_methods):
    assert lora_of("lcm", replace(EMBEDDED, prediction_type="v_prediction")) is None
    register_method(Method("plain", "some.module:PlainScheduler", distilled=False))
    assert lora_of("plain", replace(SDXL, cross_attention_dim=5)) is None
    assert lora_of("plain", SHIPPED) is None


@pytest.mark.parametrize("method", ["tcd", "lcm"])
def test_the_shipped_loras_are_there(method):
    assert lora_of(method, SHIPPED) == str(SHAPES_FOLDER / f"{method}_lora")
    assert (SHAPES_FOLDER / f"{method}_lora" / "pytorch_lora_weights.safetensors").is_file()
