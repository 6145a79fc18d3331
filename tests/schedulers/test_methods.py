"""The registry: its rows, valid additions, and no import of a framework when it is read."""

import inspect
import subprocess
import sys

import pytest

from mindone_tcd.adapters.records import distillation
from mindone_tcd.cli import parser
from mindone_tcd.errors import UsageError
from mindone_tcd.files.allowed_classes import check_class
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.generate.recipes import lora_of, recipe
from mindone_tcd.generate.record_fields import check_record
from mindone_tcd.generate.request import make_request
from mindone_tcd.schedulers.methods import METHODS, Method, find_method, method_of, register_method
from mindone_tcd.selftest.cases import CASES
from mindone_tcd.shapes.folder import SHAPES_FOLDER

EVERY = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
PROMPT = "a red circle on a blue background"


def test_reading_the_registry_imports_neither_mindspore_nor_mindone_nor_numpy():
    script = (
        "import sys; from mindone_tcd.schedulers.methods import METHODS;"
        "print(*METHODS, *{name.partition('.')[0] for name in sys.modules} & {'mindspore', 'mindone', 'numpy'})"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == list(METHODS)


@EVERY
def test_a_row_agrees_with_its_scheduler(method):
    cls = method.scheduler_class()
    assert cls.__name__ == method.scheduler_name
    eta = inspect.signature(cls.step).parameters.get("eta")
    assert (None if eta is None else eta.default) == method.eta
    scheduler = cls()
    assert scheduler.config.original_inference_steps == method.max_steps
    assert method_of(scheduler) is method
    scheduler.set_timesteps(method.max_steps)
    assert len(scheduler.coefficients()) == method.max_steps


@EVERY
def test_the_shipped_files_of_a_method_exist(method):
    if method.shipped_lora is not None:
        assert list((SHAPES_FOLDER / method.shipped_lora).glob("*.safetensors"))
        assert method.name in {case["method"] for case in CASES.values()}, "no known image: add a case to selftest"


def test_a_subclass_belongs_to_no_method():
    cls = METHODS["tcd"].scheduler_class()
    assert method_of(type("Other", (cls,), {})()) is None
    assert method_of(None) is None


@pytest.mark.parametrize("name", ["ddim", "TCD", "", None, []])
def test_an_unknown_method_is_refused(name):
    with pytest.raises(UsageError, match=r"unknown method .*; choose one of: tcd, lcm"):
        find_method(name)


def test_every_module_of_the_package_supports_an_added_method(added_methods):
    cls = type("NewScheduler", (METHODS["lcm"].scheduler_class(),), {})
    register_method(Method("new", cls, eta=0.5, steps=2, max_steps=80, guidance_scale=1.5, shipped_lora="lcm_lora"))
    import mindone.diffusers

    assert mindone.diffusers.NewScheduler is cls
    model = find_model("shapes")
    chosen = recipe("new", model)
    assert (chosen.steps, chosen.guidance_scale, chosen.eta) == (2, 1.5, 0.5)
    assert lora_of("new", model) == str(SHAPES_FOLDER / "lcm_lora")
    assert make_request(model, chosen, PROMPT, steps=80, eta=0.1).eta == 0.1
    check_record({"method": "new", "steps": 80}, "the record")
    check_class("diffusers", "NewScheduler", "here")
    assert distillation({}, ["new_lora.safetensors"]) == "new"
    assert parser().parse_args(["generate", PROMPT, "--method", "new"]).method == "new"
    assert method_of(cls()) is METHODS["new"]
    assert cls in METHODS["tcd"].scheduler_class()().compatibles
    again = type("NewScheduler", (cls,), {})
    register_method(Method("new", again))
    assert METHODS["new"].scheduler_class() is mindone.diffusers.NewScheduler is again


def test_a_method_that_is_not_distilled_needs_no_lora(added_methods):
    register_method(Method("plain", type("PlainScheduler", (METHODS["lcm"].scheduler_class(),), {}), distilled=False))
    assert lora_of("plain", find_model("shapes")) is None
    assert distillation({}, ["plain.safetensors"]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "My Method"}, "name is 'My Method'; expected lower-case letters"),
        ({"name": None}, "name is None"),
        ({"scheduler": "nonsense"}, "scheduler is 'nonsense'; expected a subclass of FewStepScheduler, or its path"),
        ({"scheduler": 3}, "scheduler is 3"),
        ({"eta": 2}, r"eta is 2; expected None or a number within \[0, 1\]"),
        ({"steps": 0}, "steps is 0; expected an integer from 1 to max_steps"),
        ({"steps": 9, "max_steps": 8}, "steps is 9"),
        ({"max_steps": "8"}, "max_steps is '8'"),
        ({"guidance_scale": -1}, "guidance_scale is -1; expected a number of 0 or more"),
        ({"guidance_scale": None}, "guidance_scale is None"),
        ({"embedded_guidance_scale": float("nan")}, "embedded_guidance_scale is nan"),
    ],
)
def test_invalid_rows_are_refused(options, message):
    with pytest.raises(UsageError, match=f"the method's {message}"):
        Method(**{"name": "new", "scheduler": "package.module:NewScheduler", **options})


def test_existing_names_are_refused(added_methods):
    base = METHODS["tcd"].scheduler_class()
    before = dict(METHODS)
    for method, message in (
        (Method("tcd", type("Mine", (base,), {})), "the method tcd belongs to mindone_tcd"),
        (Method("mine", type("TCDScheduler", (base,), {})), "the method tcd has a scheduler TCDScheduler already"),
        (Method("mine", type("DDIMScheduler", (base,), {})), "mindone.diffusers already has a DDIMScheduler"),
        (Method("mine", dict), "expected a FewStepScheduler"),
        ("mine", "register_method got 'mine'; expected a Method"),
    ):
        with pytest.raises(UsageError, match=message):
            register_method(method)
    assert dict(METHODS) == before
