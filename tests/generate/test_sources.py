"""What a record says about the origin of a model and a LoRA, and that a path is in it on request only."""

import os

import pytest

from mindone_tcd.files.model_folder import Model
from mindone_tcd.generate.parts import Part
from mindone_tcd.generate.recipes import Recipe, lora_of
from mindone_tcd.generate.setup import Setup
from mindone_tcd.generate.sources import lora_fields, model_fields, part_fields
from mindone_tcd.generate.weights import Weights
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER

SHIPPED = Model(SHAPES, str(SHAPES_FOLDER), True, "StableDiffusionXLPipeline")
HUB = Model("owner/name", "owner/name", False, "StableDiffusionPipeline")


@pytest.fixture
def weights(monkeypatch):
    monkeypatch.setattr(Weights, "sha256", lambda self: "ab12")
    return Weights({}, ())


def local(path):
    return Model("mine", str(path), True, "StableDiffusionPipeline")


@pytest.mark.parametrize("paths", [False, True])
def test_models_of_the_package_and_the_hub(weights, paths):
    assert model_fields(SHIPPED, weights, paths) == {
        "model": SHAPES,
        "model_from": "package",
        "model_sha256": "ab12",
    }
    assert model_fields(HUB, weights, paths) == {"model": "owner/name", "model_from": "hub", "model_sha256": "ab12"}


def test_a_folder_shows_its_name_and_its_path_on_request(weights, tmp_path):
    fields = {"model": "secret", "model_from": "folder", "model_sha256": "ab12"}
    model = local(tmp_path / "secret")
    assert model_fields(model, weights, False) == fields
    assert model_fields(model, weights, True) == {**fields, "model_path": str(tmp_path / "secret")}


def test_unknown_weights_have_no_digest():
    assert model_fields(HUB, None, False)["model_sha256"] is None
    assert lora_fields(HUB, Recipe("tcd", "owner/lora"), None, False)["lora_sha256"] is None


@pytest.mark.parametrize("paths", [False, True])
def test_loras_without_a_path(weights, paths):
    def fields(model, lora):
        return tuple(lora_fields(model, Recipe("tcd", lora), weights, paths).values())

    assert fields(HUB, None) == (None, None, None)
    assert fields(SHIPPED, lora_of("tcd", SHIPPED)) == ("shipped", "package", "ab12")
    assert fields(HUB, "owner/lora") == ("owner/lora", "hub", "ab12")


def test_a_lora_that_ships_is_a_folder_for_another_model(weights):
    shipped = lora_of("tcd", SHIPPED)
    assert lora_fields(HUB, Recipe("tcd", shipped), weights, False)["lora_from"] == "folder"
    assert lora_fields(SHIPPED, Recipe("lcm", shipped), weights, False)["lora_from"] == "folder"


def test_a_loras_path_is_recorded_on_request(weights, tmp_path):
    lora = str(tmp_path / "style.safetensors")
    fields = {"lora": "style.safetensors", "lora_from": "folder", "lora_sha256": "ab12"}
    assert lora_fields(HUB, Recipe("tcd", lora), weights, False) == fields
    assert lora_fields(HUB, Recipe("tcd", lora), weights, True) == {**fields, "lora_path": lora}


def test_names_that_cannot_be_written_as_text():
    name = os.fsdecode(b"caf\xe9")
    fields = model_fields(local(f"/models/{name}"), None, True)
    assert (fields["model"], fields["model_path"]) == ("caf\ufffd", "/models/caf\ufffd")
    assert model_fields(local("/"), None, False)["model"] == "unnamed"


def setup(*parts):
    return Setup("text-to-image", SHIPPED, Recipe("tcd", None), "StableDiffusionXLPipeline", parts=parts)


@pytest.mark.parametrize("paths", [False, True])
def test_parts_of_the_package_and_the_hub(weights, paths):
    packaged = Part("controlnet", "canny", str(SHAPES_FOLDER / "controlnet_canny"), "package")
    fetched = Part("style", "", "owner/style", "hub", 0.5)
    assert part_fields(setup(packaged, fetched), [weights, None], paths) == {
        "parts": [
            {"role": "controlnet", "kind": "canny", "name": "controlnet_canny", "from": "package"}
            | {"sha256": "ab12", "weight": 1.0},
            {"role": "style", "kind": "", "name": "owner/style", "from": "hub", "sha256": None, "weight": 0.5},
        ]
    }
    assert part_fields(setup(), [], paths) == {}


def test_a_parts_path_is_recorded_on_request(weights, tmp_path):
    given = Part("ip-adapter", "", str(tmp_path / "secret"), "folder")
    fields = {"role": "ip-adapter", "kind": "", "name": "secret", "from": "folder", "sha256": "ab12", "weight": 1.0}
    assert part_fields(setup(given), [weights], False) == {"parts": [fields]}
    assert part_fields(setup(given), [weights], True) == {"parts": [{**fields, "path": str(tmp_path / "secret")}]}


def test_each_part_needs_its_weights(weights):
    with pytest.raises(ValueError, match="shorter"):
        part_fields(setup(Part("style", "", "a/b", "hub")), [], False)
