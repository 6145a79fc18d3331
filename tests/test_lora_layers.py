"""Which models and layers of a pipeline have LoRAs, with classes that are made here."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from mindone_tcd.lora_layers import layers_of, models_of


def test_models_by_component_without_those_that_are_missing():
    pipe = SimpleNamespace(_lora_loadable_modules=["unet", "text_encoder", "text_encoder_2"], unet=1, text_encoder=None)
    assert models_of(pipe) == {"unet": 1}
    pipe.text_encoder_2 = 2
    pipe.vae = 3
    assert models_of(pipe) == {"unet": 1, "text_encoder_2": 2}


class Layer:
    pass


class Linear(Layer):
    pass


@pytest.fixture(autouse=True)
def peft(monkeypatch):
    name = "mindone.peft.tuners.tuners_utils"
    module = ModuleType(name)
    module.BaseTunerLayer = Layer
    monkeypatch.setitem(sys.modules, name, module)


def test_layers_with_adapters_in_the_order_of_the_model():
    first, other, second = Linear(), object(), Layer()
    model = SimpleNamespace(cells_and_names=lambda: [("a", first), ("b", other), ("c", second)])
    assert layers_of(model) == [first, second]


def test_a_model_without_adapters():
    assert layers_of(SimpleNamespace(cells_and_names=lambda: [("a", object())])) == []
