"""Calls of a loaded pipeline: their arguments, batches, steps, styles and records."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.loaded import LoadedPipeline, read_inputs
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.generate.tasks import PART_FEATURES, TASKS

PROMPT = "a cat"


def setup(*features, task="text-to-image"):
    return SimpleNamespace(features=features, task=task, model=SimpleNamespace(shipped=False))


IMAGE, REFERENCE = TASKS["image-to-image"].feature, PART_FEATURES["ip-adapter"]
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


def test_the_inputs_of_all_features_are_read():
    given = {"image": PHOTO, "strength": 0.5, "reference": PHOTO, "reference_scale": 0.7}
    inputs = read_inputs(setup(IMAGE, REFERENCE), given)
    assert [(source.slot, source.scale) for source in inputs.sources] == [("image", None), ("reference", 0.7)]
    assert inputs.numbers == {"strength": 0.5}


def test_none_is_the_same_as_nothing():
    assert read_inputs(setup(), {"image": None, "frames": None}).sources == ()
    assert read_inputs(setup(IMAGE), {"image": PHOTO, "strength": None}).numbers == {"strength": 0.6}
    with pytest.raises(UsageError, match="needs image"):
        read_inputs(setup(IMAGE), {"image": None})


@pytest.mark.parametrize(
    ("features", "given", "message"),
    [
        (
            (),
            {"image": 1},
            "the task text-to-image with these parts does not take image; it takes no inputs besides the",
        ),
        ((IMAGE,), {"image": PHOTO, "control": PHOTO}, "does not take control; it takes: image, strength"),
        (
            (IMAGE, REFERENCE),
            {"widht": 3},
            "does not take widht; it takes: image, strength, reference, reference_scale",
        ),
        ((REFERENCE,), {"reference_scale": 1}, "needs reference: the image to resemble"),
    ],
)
def test_arguments_of_other_tasks_are_refused(features, given, message):
    with pytest.raises(UsageError, match=message):
        read_inputs(setup(*features), given)


class FakePipeline:
    """Calls the observer of its scheduler for each step, as a scheduler does."""

    def __init__(self):
        self.scheduler, self.calls = SimpleNamespace(observer=None), []

    def __call__(self, **options):
        self.calls.append(options)
        if self.scheduler.observer is not None:
            for step in range(options["num_inference_steps"]):
                self.scheduler.observer(step, f"latents of {options['num_images_per_prompt']}")
        return ([PHOTO] * options["num_images_per_prompt"],)


@pytest.fixture
def fake(folders, monkeypatch):
    monkeypatch.setattr(LoadedPipeline, "_record", lambda self, request, seeds, k: {"seed": seeds[k]})
    return LoadedPipeline(FakePipeline(), plan("text-to-image", folders("sdxl"), "tcd", "none"), "float32")


def test_batches_in_the_order_of_the_seeds(fake):
    made = fake(PROMPT, seed=3, count=5, batch_size=2)
    assert [each.record["seed"] for each in made] == [3, 4, 5, 6, 7]
    assert [call["num_images_per_prompt"] for call in fake.pipeline.calls] == [2, 2, 1]
    assert [call["num_images_per_prompt"] for call in fake.pipeline.calls] == [
        len(call["generator"]) for call in fake.pipeline.calls
    ]


def test_a_batch_reports_its_steps(fake):
    from mindone_tcd.generate.request import make_request

    request = make_request(fake.model, fake.recipe, PROMPT, count=3, steps=2)
    seen = []
    batches = fake.batches(request, 2, on_step=lambda step, latents: seen.append((step, latents)))
    assert len(next(batches)) == 2
    assert seen == [(0, "latents of 2"), (1, "latents of 2")]
    assert len(next(batches)) == 1
    assert seen[2:] == [(0, "latents of 1"), (1, "latents of 1")]
    assert fake.pipeline.scheduler.observer is None


def test_an_error_of_the_observer_ends_the_call_and_the_observation(fake):
    from mindone_tcd.generate.request import make_request

    request = make_request(fake.model, fake.recipe, PROMPT)
    with pytest.raises(ZeroDivisionError):
        fake.make_batch(request, (0,), lambda step, latents: 1 / 0)
    assert fake.pipeline.scheduler.observer is None
    fake.make_batch(request, (0,))


def test_a_negative_prompt_is_passed_where_it_has_an_effect(fake):
    fake(PROMPT, negative_prompt="a dog", guidance_scale=2)
    assert fake.pipeline.calls.pop()["negative_prompt"] == "a dog"
    with pytest.warns(UserWarning, match="has no effect"):
        fake(PROMPT, negative_prompt="a dog")
    assert "negative_prompt" not in fake.pipeline.calls.pop()


@pytest.fixture(scope="module")
def opened(folders):
    """A function that loads the tiny SDXL with extras, once for each name."""
    from mindone_tcd import load

    found = {}

    def get(name="plain", **extras):
        if name not in found:
            found[name] = load(model=folders("sdxl"), lora="none", **extras)
            found[name].pipeline.set_progress_bar_config(disable=True)
        return found[name]

    return get


def pixels(loaded, **options):
    return np.asarray(loaded(PROMPT, steps=2, **options)[0].image, np.int16)


def test_each_step_of_a_real_pipeline_is_observed(opened):
    from mindone_tcd.generate.request import make_request

    loaded = opened()
    request = make_request(loaded.model, loaded.recipe, PROMPT, steps=3, count=2)
    seen = []
    made = loaded.make_batch(request, request.seeds, lambda step, latents: seen.append((step, latents.asnumpy())))
    assert [step for step, _ in seen] == [0, 1, 2]
    assert {latents.shape for _, latents in seen} == {(2, 4, 8, 8)}
    assert np.abs(seen[0][1] - seen[2][1]).max() > 1e-3
    plain = loaded.make_batch(request, request.seeds)
    for a, b in zip(made, plain, strict=True):
        assert (np.asarray(a.image) == np.asarray(b.image)).all(), "watching changed the image"


def test_a_style_of_weight_0_has_no_effect(opened, folders):
    plain = pixels(opened())
    assert (pixels(opened("zero", style=(folders("lora-sdxl"), 0.0))) == plain).all()
    assert (pixels(opened("style", style=folders("lora-sdxl"))) != plain).any()


def test_a_lora_for_the_method_and_two_styles_have_their_weights(folders):
    from mindone_tcd import load

    method = folders("lora-sdxl", 1, "tcd")
    styles = [(folders("lora-sdxl"), 0.5), (folders("lora-sdxl", 2), -0.25)]
    loaded = load(model=folders("sdxl"), lora=method, style=styles)
    names = loaded.pipeline.get_active_adapters()
    assert names == ["tcd_lora_sdxl_1", "lora_sdxl_0", "lora_sdxl_2"]
    record = loaded(PROMPT, steps=1)[0].record
    assert record["lora"] == method.name
    assert [(part["name"], part["weight"]) for part in record["parts"]] == [
        ("lora-sdxl-0", 0.5),
        ("lora-sdxl-2", -0.25),
    ]
    layers = [cell for _, cell in loaded.pipeline.unet.cells_and_names() if hasattr(cell, "scaling") and cell.lora_A]
    assert {tuple(round(layer.scaling[name], 6) for name in names) for layer in layers} == {(1.0, 0.5, -0.25)}


def test_the_same_style_twice_counts_twice(folders, opened):
    both = opened("twice", style=[(folders("lora-sdxl"), 0.5)] * 2)
    assert len(both.pipeline.get_active_adapters()) == 2
    # The sum of two halves is rounded differently than the whole.
    away = np.abs(pixels(both) - pixels(opened("style", style=folders("lora-sdxl"))))
    assert away.max() <= 1


def test_the_record_names_the_parts_and_their_digests(opened, folders):
    loaded = opened("style", style=folders("lora-sdxl"))
    record = loaded(PROMPT, steps=1)[0].record
    (part,) = record["parts"]
    assert {key: value for key, value in part.items() if key != "sha256"} == {
        "role": "style",
        "kind": "",
        "name": "lora-sdxl-0",
        "from": "folder",
        "weight": 1.0,
    }
    assert len(part["sha256"]) == 64
    assert "parts" not in opened()(PROMPT, steps=1)[0].record
    assert "inputs" not in record


def test_control_maps_without_controls(fake):
    assert fake.control_maps(SimpleNamespace(inputs=SimpleNamespace(of=lambda slot: []), width=8, height=8)) == []


def test_extras_of_other_tasks_do_not_change_the_plain_one(folders):
    assert plan("text-to-image", folders("sdxl"), "tcd", "none", Extras()).parts == ()
