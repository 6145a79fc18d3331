"""What `load` refuses before it reads any weights, and what it hands on."""

from dataclasses import fields

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files import hub
from mindone_tcd.generate import loading
from mindone_tcd.generate.plan import Extras
from mindone_tcd.shapes.folder import SHAPES


@pytest.fixture
def planned(monkeypatch):
    """What is planned and then loaded; nothing is."""
    calls = []

    def plan(*args):
        calls.append((*args, hub.chosen()))
        return "setup"

    monkeypatch.setattr(loading, "plan", plan)
    monkeypatch.setattr(loading, "load_planned", lambda *args: calls.append((*args, hub.chosen())) or "loaded")
    return calls


def test_the_defaults(planned):
    assert loading.load() == "loaded"
    assert planned == [
        ("text-to-image", SHAPES, None, None, Extras(), "huggingface"),
        ("setup", None, None, False, None, "huggingface"),
    ]


def test_all_arguments_are_handed_on(planned):
    arguments = {"method": "lcm", "lora": "none", "dtype": "float16", "compile": "trajectory", "record_paths": True}
    arguments["quantize"] = "int8"
    extras = {field.name: f"some {field.name}" for field in fields(Extras)}
    assert loading.load("animate", "owner/name", **arguments, **extras, hub="modelscope") == "loaded"
    assert planned == [
        ("animate", "owner/name", "lcm", "none", Extras(**extras), "modelscope"),
        ("setup", "float16", "trajectory", True, "int8", "modelscope"),
    ]
    assert hub.chosen() == "huggingface", "the hub is chosen for the call alone"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "unknown dtype 'int8'; choose one of: float32, float16, bfloat16"),
        ({"compile": "loop"}, "compile is 'loop'; expected True, False or one of: step, trajectory"),
        ({"quantize": "int4"}, "unknown quantize 'int4'; choose one of: int8, or leave it out"),
        ({"hub": "github"}, "hub is 'github'; expected one of: huggingface, modelscope"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_looked_for(planned, arguments, message):
    with pytest.raises(UsageError) as caught:
        loading.load(**arguments)
    assert str(caught.value) == message
    assert planned == []


@pytest.mark.parametrize(
    ("lora", "name"),
    [
        ("/loras/style.v2.safetensors", "style_v2"),
        ("/loras/tcd_lora", "tcd_lora"),
        ("owner/TCD-SDXL-LoRA", "TCD_SDXL_LoRA"),
        ("/loras/v1.5", "v1_5"),
        ("猫.safetensors", "猫"),
    ],
)
def test_an_adapters_name_has_no_dots(lora, name):
    assert loading._adapter_name(lora) == name
