"""What a call of `load` asks for, found without loading it."""

import os
import shutil
from pathlib import Path

import pytest

from mindone_tcd import shapes
from mindone_tcd.errors import UsageError
from mindone_tcd.generate import plan as module
from mindone_tcd.generate.plan import Extras, plan
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


PARTS = {"control": "controlnet-sdxl", "t2i": "t2i-adapter-sdxl", "ip_adapter": "ip-adapter", "style": "lora-sdxl"}


@pytest.fixture
def extras(folders):
    """A function that returns extras whose networks are tiny folders, for canny maps."""

    def make(*names, **others):
        found = {name: folders(PARTS[name]) for name in names}
        found = {name: {"canny": folder} if name in ("control", "t2i") else folder for name, folder in found.items()}
        return Extras(**found, **others)

    return make


@pytest.mark.parametrize(
    ("task", "names", "pipeline_class", "takes"),
    [
        ("text-to-image", [], "StableDiffusionXLPipeline", ""),
        ("text-to-image", ["style"], "StableDiffusionXLPipeline", ""),
        ("text-to-image", ["control"], "StableDiffusionXLControlNetPipeline", "control control_scale"),
        ("controlnet", ["control"], "StableDiffusionXLControlNetPipeline", "control control_scale"),
        ("t2i-adapter", ["t2i"], "StableDiffusionXLAdapterPipeline", "control control_scale"),
        ("ip-adapter", ["ip_adapter"], "StableDiffusionXLPipeline", "reference reference_scale"),
        ("image-to-image", [], "StableDiffusionXLImg2ImgPipeline", "image strength"),
        ("inpainting", ["style"], "StableDiffusionXLInpaintPipeline", "image mask strength"),
        (
            "image-to-image",
            ["control", "ip_adapter", "style"],
            "StableDiffusionXLControlNetImg2ImgPipeline",
            "image strength control control_scale reference reference_scale",
        ),
    ],
)
def test_the_pipeline_and_its_arguments(folders, extras, task, names, pipeline_class, takes):
    setup = plan(task, folders("sdxl"), "tcd", "none", extras(*names))
    assert setup.pipeline_class == pipeline_class
    assert [name for feature in setup.features for name in feature.takes] == takes.split()
    assert {part.role for part in setup.parts} == {
        {"control": "controlnet", "t2i": "t2i-adapter", "ip_adapter": "ip-adapter"}.get(name, name) for name in names
    }


def test_maps_that_are_passed_finished(folders, extras):
    networks = [("canny", folders("controlnet-sdxl")), ("depth-map", folders("controlnet-sdxl", 1))]
    setup = plan("controlnet", folders("sdxl"), "tcd", "none", Extras(control=networks))
    assert [(part.kind, is_map) for part, is_map in zip(setup.parts, setup.given_maps, strict=True)] == [
        ("canny", False),
        ("depth", True),
    ]


@pytest.mark.parametrize(
    ("task", "model", "names", "others", "message"),
    [
        (
            "text-to-song",
            "sdxl",
            [],
            {},
            "unknown task 'text-to-song'; choose one of: text-to-image, image-to-image, inp",
        ),
        (None, "sdxl", [], {}, "unknown task None; choose one of"),
        (["controlnet"], "sdxl", [], {}, "unknown task ['controlnet']; choose one of"),
        (
            "controlnet",
            "sdxl",
            ["control", "t2i"],
            {},
            "a ControlNet and a T2I-Adapter do not combine: no pipeline of mi",
        ),
        (
            "t2i-adapter",
            "sdxl",
            ["control"],
            {"t2i": {"canny": "a/b"}},
            "a ControlNet and a T2I-Adapter do not combine",
        ),
        ("inpainting", "sdxl", ["control"], {}, "SDXL models have no pipeline for inpainting with a ControlNet"),
        ("image-to-image", "sdxl", ["t2i"], {}, "SDXL models have no pipeline for image to image with a T2I-Adapter"),
        ("animate", "sdxl", [], {"motion_adapter": "a/b"}, "AnimateDiff needs a model in the layout of SD 1.5, but"),
        (
            "animate",
            "sd15",
            [],
            {"motion_adapter": "a/b", "control": {"canny": "a/b"}},
            "SD models have no pipeline for an",
        ),
        ("text-to-image", "sd15", [], {"motion_adapter": "a/b"}, "a motion adapter needs the task animate"),
        ("text-to-image", "sd15", [], {"motion": "zoom-in"}, "no motion LoRA 'zoom-in' is known for "),
        ("text-to-image", "sd15", [], {"motion": "a/b"}, "a motion LoRA needs the task animate"),
        ("text-to-image", "sdxl-inpainting", [], {}, "is an inpainting model; choose the task inpainting, or another"),
        ("image-to-image", "sd15-inpainting", [], {}, "is an inpainting model; choose the task inpainting, or another"),
        ("controlnet", "sdxl", [], {}, "no ControlNet 'canny' is known for"),
        ("controlnet", "sdxl", [], {"control": []}, "control is []; expected a kind such as 'canny'"),
        ("controlnet", "sdxl", [], {"control": False}, "the ControlNet is False, but the task controlnet needs one"),
        (
            "ip-adapter",
            "sdxl",
            [],
            {"ip_adapter": False},
            "the IP-Adapter is False, but the task ip-adapter needs one; leave it out",
        ),
        ("ip-adapter", "sdxl", [], {"ip_adapter": 3}, "the IP-Adapter is 3; expected a folder, a file or a hub id"),
        ("text-to-image", "sdxl", [], {"style": 3}, "style is 3; expected a name, a file or a hub id"),
        ("text-to-image", "sdxl", [], {"style": "oil"}, "no style LoRA 'oil' is known for "),
        (
            "text-to-image",
            "sdxl",
            [],
            {"depth_model": "a/b"},
            "depth_model is 'a/b', but only depth and normal maps need",
        ),
        (
            "controlnet",
            "sdxl",
            ["control"],
            {"depth_model": "a/b"},
            "depth_model is 'a/b', but only depth and normal maps",
        ),
        (
            "controlnet",
            "sdxl",
            [],
            {"control": {"depth": "a/b"}, "depth_model": "x"},
            "no depth model 'x': expected an ex",
        ),
        (
            "controlnet",
            "sdxl",
            [],
            {"control": {"depth": "a/b"}, "depth_model": 3},
            "depth_model is 3; expected a folder",
        ),
        (
            "controlnet",
            "sdxl",
            [],
            {"control": {"depth-map": "a/b"}, "depth_model": "a/b"},
            "depth_model is 'a/b', but",
        ),
        (
            "controlnet",
            SHAPES,
            [],
            {"control": {"depth": "a/b"}, "depth_model": "a/b"},
            "depth_model is 'a/b', but the ma",
        ),
    ],
)
def test_plans_that_are_refused(folders, extras, task, model, names, others, message):
    with pytest.raises(UsageError) as caught:
        plan(task, model if model == SHAPES else folders(model), "tcd", "none", extras(*names, **others))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_depth_model(folders):
    for given, found in ((folders("dpt"), str(folders("dpt").resolve())), ("owner/dpt", "owner/dpt")):
        asked = Extras(control={"depth": folders("controlnet-sdxl")}, depth_model=given)
        assert plan("controlnet", folders("sdxl"), "tcd", "none", asked).depth_model == found


def test_a_latent_consistency_model_of_any_class_starts_from_text(folders, tmp_path):
    copy = shutil.copytree(folders("lcm-sd15"), tmp_path / "lcm")
    index = (copy / "model_index.json").read_text()
    (copy / "model_index.json").write_text(
        index.replace("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline")
    )
    assert plan("text-to-image", copy, "lcm", None).pipeline_class == "LatentConsistencyModelPipeline"
    assert plan("image-to-image", copy, "lcm", None).pipeline_class == "LatentConsistencyModelImg2ImgPipeline"


def test_the_shipped_model_has_one_of_its_own_for_inpainting(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "find_model", lambda name: asked.append(name) or 1 / 0)
    for task, name in (("inpainting", SHAPES), ("inpainting", "other"), ("text-to-image", SHAPES)):
        with pytest.raises(ZeroDivisionError):
            plan(task, name, "tcd", None)
    assert asked == ["shapes-inpainting", "other", SHAPES]


def test_a_given_lora_needs_no_published_one(monkeypatch):
    monkeypatch.setattr(module, "lora_of", lambda method, model: pytest.fail("the method's LoRA was looked up"))
    assert plan(TEXT, SHAPES, "lcm", "none").recipe.method == "lcm"
    assert plan(TEXT, SHAPES, "lcm", LORA).recipe.lora == str(LORA.resolve())


@pytest.mark.parametrize(
    ("task", "extras", "name"),
    [
        ("text-to-image", Extras(), "shapes"),
        ("inpainting", Extras(), "shapes-inpainting"),
        ("animate", Extras(), "shapes-sd15"),
        ("controlnet", Extras(), "shapes"),
        ("controlnet", Extras(control="depth"), "shapes"),
        ("controlnet", Extras(control="normal"), "shapes-sd15"),
        ("controlnet", Extras(control=["normal-map"]), "shapes-sd15"),
        ("image-to-image", Extras(control="normal"), "shapes-sd15"),
    ],
)
def test_the_member_of_the_family_that_has_the_networks(task, extras, name):
    setup = plan(task, SHAPES, "lcm", None, extras)
    assert setup.model.name == name
    assert setup.model.shipped


def test_no_member_has_both_networks():
    with pytest.raises(UsageError, match=r"no ControlNet 'normal' is known for shapes; choose one of: canny, depth"):
        plan("controlnet", SHAPES, "lcm", None, Extras(control=["canny", "normal"]))


def test_the_sibling_has_loras_of_its_own():
    setup = plan(TEXT, "shapes-sd15", "lcm", None)
    assert setup.pipeline_class == "StableDiffusionPipeline"
    assert setup.recipe.lora == str(shapes.model("sd15-lcm-lora"))


def test_a_latent_consistency_model_of_the_package():
    setup = plan("image-to-image", "shapes-sd15-lcm", "lcm", None)
    assert setup.pipeline_class == "LatentConsistencyModelImg2ImgPipeline"
    assert (setup.recipe.lora, setup.recipe.guidance_scale) == (None, 8.0)


def test_a_clip_takes_five_steps():
    assert plan("animate", SHAPES, "tcd", None).recipe.steps == 5
