"""Which tasks the demo offers for a model."""

import pytest

from mindone_tcd.demo.offers import TITLES, Key, extras, offers, planned
from mindone_tcd.demo.options import Options
from mindone_tcd.errors import UsageError


def by_task(**options):
    return {offer.task: offer for offer in offers(Options(**options))}


def test_the_shipped_model_does_every_task():
    found = by_task()
    assert list(found) == list(TITLES)
    assert all(list(offer.setups) == ["tcd", "lcm"] for offer in found.values())
    assert found["controlnet"].kinds == ("canny", "depth", "normal")
    assert found["animate"].motions == ("zoom-in",)
    assert found["animate"].first.model.name == "shapes-sd15"
    assert found["inpainting"].first.model.masked


@pytest.mark.parametrize(
    ("model", "tasks", "methods"),
    [
        ("shapes-lcm", ["text-to-image", "image-to-image", "inpainting", "controlnet"], ["lcm"]),
        ("shapes-inpainting", ["inpainting"], ["tcd", "lcm"]),
        ("shapes-sd15-lcm", ["text-to-image", "image-to-image"], ["lcm"]),
    ],
)
def test_tasks_and_methods_that_do_not_work_are_not_offered(model, tasks, methods):
    found = by_task(model=model)
    assert list(found) == tasks
    assert all(list(offer.setups) == methods for offer in found.values())


def test_a_model_of_a_folder_has_only_the_networks_that_are_given(folders):
    model, network = str(folders("sd15")), str(folders("controlnet-sd15"))
    tasks = ["text-to-image", "image-to-image", "inpainting"]
    assert list(by_task(model=model, lora="none")) == tasks
    found = by_task(
        model=model, lora="none", controlnets={"depth": network}, motion_adapter=str(folders("motion-adapter"))
    )
    assert list(found) == [*tasks, "controlnet", "animate"]
    assert found["controlnet"].kinds == ("depth",)
    assert found["controlnet"].first.of("controlnet")[0].location == network
    assert found["animate"].motions == ()


def test_networks_that_do_not_fit_are_refused(folders, tmp_path):
    sdxl = str(folders("sdxl"))
    with pytest.raises(UsageError, match=r"AnimateDiff needs a model in the layout of SD 1.5"):
        by_task(model=sdxl, lora="none", motion_adapter=str(folders("motion-adapter")))
    with pytest.raises(UsageError, match="is a ControlNet for a cross_attention_dim"):
        by_task(model=sdxl, lora="none", controlnets={"canny": str(folders("controlnet-sd15"))})
    with pytest.raises(UsageError, match=r"expected .shapes., an existing folder, or a hub id"):
        by_task(model=str(tmp_path / "missing" / "model"))


def test_the_plan_of_a_key():
    options = Options(controlnets={"canny": "owner/network"}, motion_adapter="owner/motion")
    assert extras(options, Key("controlnet", "tcd", "canny")).control == {"canny": "owner/network"}
    assert extras(options, Key("controlnet", "tcd", "depth")).control == "depth"
    assert extras(options, Key("text-to-image", "tcd")).control is None
    assert extras(options, Key("animate", "tcd", motion="zoom-in")).motion == "zoom-in"
    assert extras(options, Key("image-to-image", "tcd")).motion_adapter is None
    assert planned(Options(), Key("controlnet", "lcm", "normal")).model.name == "shapes-sd15"
