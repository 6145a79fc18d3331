"""What a call of `load` asks for, found without loading it."""

import os
import shutil
from pathlib import Path

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import plan as module
from mindone_tcd.generate.plan import plan
from mindone_tcd.shapes.folder import SHAPES, SHAPES_FOLDER

LORA = SHAPES_FOLDER / "lcm_lora"
TEXT = "text-to-image"


def test_the_shipped_model_has_the_lora_of_the_method():
    setup = plan(TEXT, SHAPES, "tcd", None)
    chosen = setup.recipe
    assert setup.model.shipped
    assert (chosen.method, chosen.steps, chosen.eta) == ("tcd", 4, 0.3)
    assert chosen.lora == str((SHAPES_FOLDER / "tcd_lora").resolve())


@pytest.mark.parametrize("lora", ["none", "None", "NONE"])
def test_none_is_no_lora(lora):
    assert plan(TEXT, SHAPES, "tcd", lora).recipe.lora is None


def test_a_given_lora_takes_the_place_of_the_methods(tmp_path, monkeypatch):
    assert plan(TEXT, SHAPES, "tcd", LORA).recipe.lora == str(LORA.resolve())
    shutil.copytree(LORA, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert plan(TEXT, SHAPES, "tcd", "mine").recipe.lora == str((tmp_path / "mine").resolve()), (
        "a path becomes absolute"
    )
    file = Path("mine") / "pytorch_lora_weights.safetensors"
    assert plan(TEXT, SHAPES, "tcd", file).recipe.lora == str((tmp_path / file).resolve())


def test_a_path_below_the_home_folder(tmp_path, monkeypatch):
    shutil.copytree(LORA, tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plan(TEXT, SHAPES, "tcd", os.path.join("~", "mine")).recipe.lora == str((tmp_path / "mine").resolve())


def test_a_hub_id_stays_as_it_is():
    assert plan(TEXT, SHAPES, "tcd", "owner/lora").recipe.lora == "owner/lora"


@pytest.mark.parametrize(
    ("model", "lora", "message"),
    [
        (7, None, "model is 7; expected a folder, a name or a hub id, as a string or path"),
        (SHAPES, 7, "lora is 7; expected a folder, a name or a hub id, as a string or path"),
        (None, None, "model is None; expected"),
        ("nothing here", None, "no model 'nothing here': expected"),
        (SHAPES, "nothing here", "no LoRA 'nothing here': expected"),
    ],
)
def test_arguments_that_name_nothing(model, lora, message):
    with pytest.raises(UsageError) as caught:
        plan(TEXT, model, "tcd", lora)
    assert str(caught.value).startswith(message)


def test_a_given_lora_needs_no_published_one(monkeypatch):
    monkeypatch.setattr(module, "lora_of", lambda method, model: pytest.fail("the method's LoRA was looked up"))
    assert plan(TEXT, SHAPES, "lcm", "none").recipe.method == "lcm"
    assert plan(TEXT, SHAPES, "lcm", LORA).recipe.lora == str(LORA.resolve())
