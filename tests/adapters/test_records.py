"""Which LoRAs a pipeline has, and which of them act, with layers that are made here."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mindone_tcd.adapters import records
from mindone_tcd.adapters.records import LoadedLora, distillation, telling_names
from mindone_tcd.schedulers.methods import Method, register_method


@pytest.mark.parametrize(
    ("metadata", "names", "method"),
    [
        ({}, ["pytorch_lora_weights.safetensors", "TCD-SDXL-LoRA"], "tcd"),
        ({}, ["lcm-lora-sdxl"], "lcm"),
        ({}, ["my_LCM_lora"], "lcm"),
        ({}, ["lcmstyle", "pixelart", "tcd2"], None),
        ({}, ["tcd-and-lcm", "lcm"], None),
        ({}, ["style", "lcm", "tcd"], "lcm"),
        ({"ss_output_name": "a tcd lora"}, ["lcm"], "tcd"),
        ({"modelspec.title": "style", "title": "LCM"}, [], "lcm"),
        ({"comment": "tcd"}, [], None),
        ({}, [], None),
    ],
)
def test_the_method_that_the_names_tell(metadata, names, method):
    assert distillation(metadata, names) == method


def test_a_method_that_is_added_counts_if_it_is_distilled(added_methods):
    register_method(Method("turbo", "some.module:TurboScheduler"))
    register_method(Method("plain", "some.module:PlainScheduler", distilled=False))
    assert distillation({}, ["sdxl-turbo-lora"]) == "turbo"
    assert distillation({}, ["plain-lora"]) is None


def test_a_folder_counts_only_for_a_file_with_a_generic_name():
    generic = Path("/loras/TCD-SDXL-LoRA/pytorch_lora_weights.safetensors")
    assert telling_names(generic, "/loras/TCD-SDXL-LoRA", "mine") == [
        "pytorch_lora_weights.safetensors",
        "TCD-SDXL-LoRA",
        "TCD-SDXL-LoRA",
        "mine",
    ]
    style = Path("/loras/tcd/papercut.safetensors")
    assert telling_names(style, "/loras/tcd", "mine") == ["papercut.safetensors", "mine"]


def lora(name, method="tcd"):
    return LoadedLora(name, "a dict", ("kohya",), method, {"unet": 1})


def layer(active=(), scaling=None, merged=(), disabled=False):
    scaling = dict.fromkeys(active, 1.0) if scaling is None else scaling
    return SimpleNamespace(
        active_adapters=list(active), scaling=scaling, merged_adapters=list(merged), disable_adapters=disabled
    )


@pytest.fixture
def pipe(monkeypatch):
    """A pipeline whose UNet has a list of layers and LoRAs by name."""
    monkeypatch.setattr(records, "layers_of", lambda model: model.layers)
    return SimpleNamespace(unet=SimpleNamespace(layers=[], peft_config={}), text_encoder=None)


def load(pipe, *loaded):
    for record in loaded:
        pipe.unet.peft_config[record.name] = None
        records.remember(pipe, record)


def test_what_is_loaded_is_recorded_on_the_unet(pipe):
    assert records.loaded_loras(pipe) == {}
    load(pipe, lora("a"))
    first = records.loaded_loras(pipe)
    load(pipe, lora("b"))
    assert first == {"a": lora("a")}, "what was returned does not change"
    assert records.loaded_loras(SimpleNamespace(unet=pipe.unet)) == {"a": lora("a"), "b": lora("b")}
    load(pipe, lora("a", "lcm"))
    assert records.loaded_loras(pipe)["a"].distillation == "lcm"


def test_what_is_deleted_is_left_out(pipe):
    load(pipe, lora("a"), lora("b"))
    del pipe.unet.peft_config["a"]
    assert list(records.loaded_loras(pipe)) == ["b"]
    pipe.text_encoder = SimpleNamespace(peft_config={"a": None})
    assert list(records.loaded_loras(pipe)) == ["a", "b"], "a text encoder still has it"
    assert records.adapter_names(pipe) == {"a", "b"}


def test_a_pipeline_without_a_unet_has_none():
    assert records.loaded_loras(SimpleNamespace()) == {}
    assert records.acting_loras(SimpleNamespace(), {"tcd"}) == []
    assert records.adapter_names(SimpleNamespace()) == set()


def acting(pipe, *methods):
    return [record.name for record in records.acting_loras(pipe, set(methods or ("tcd", "lcm")))]


def test_active_loras_with_a_weight_act(pipe):
    load(pipe, lora("a"), lora("b"), lora("c", "lcm"))
    pipe.unet.layers = [layer(["a", "b"], {"a": 0.5, "b": 0.0, "c": 1.0}), layer()]
    assert acting(pipe) == ["a"]
    pipe.unet.layers.append(layer(["c"]))
    assert acting(pipe) == ["a", "c"]
    assert acting(pipe, "lcm") == ["c"]


def test_disabled_layers_do_not_act_and_fused_ones_do(pipe):
    load(pipe, lora("a"))
    pipe.unet.layers = [layer(["a"], disabled=True)]
    assert acting(pipe) == []
    pipe.unet.layers = [layer(merged=["a"])]
    assert acting(pipe) == ["a"]


def test_what_was_fused_acts_after_it_is_unloaded(pipe):
    load(pipe, lora("a"), lora("b"))
    pipe.unet.layers = [layer(["a", "b"], merged=["a"])]
    records.keep_fused(pipe.unet)
    pipe.unet.layers, pipe.unet.peft_config = [], {}
    assert records.loaded_loras(pipe) == {}
    assert acting(pipe) == ["a"]
    assert acting(pipe, "lcm") == []
    load(pipe, lora("c"))
    pipe.unet.layers = [layer(merged=["c"])]
    records.keep_fused(pipe.unet)
    pipe.unet.layers, pipe.unet.peft_config = [], {}
    assert acting(pipe) == ["a", "c"], "a second one is added to the first"


def test_a_model_without_records_is_not_searched(pipe, monkeypatch):
    monkeypatch.setattr(records, "layers_of", lambda model: pytest.fail("it was searched"))
    records.keep_fused(pipe.unet)
    assert acting(pipe) == []
