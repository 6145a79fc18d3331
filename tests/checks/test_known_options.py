"""Options of `from_pretrained` that nothing reads, without mindone: its classes are made here."""

import json
import sys
from types import ModuleType

import pytest

from mindone_tcd.checks.known_options import check_model, check_pipeline, check_transformers_model
from mindone_tcd.errors import UsageError


class Base:
    @classmethod
    def from_pretrained(cls, source, **kwargs):
        kwargs.pop("mindspore_dtype", None)
        return kwargs.get("variant")

    @classmethod
    def load_config(cls, source, **kwargs):
        kwargs.pop("cache_dir", None)

    @classmethod
    def download(cls, source, **kwargs):
        kwargs.pop('revision', None)  # fmt: skip


class DiffusionPipeline(Base):
    pass


class Pipeline(DiffusionPipeline):
    def __init__(self, unet, scheduler, safety_checker=None, *args, **kwargs):
        pass


class Connected(Pipeline):
    _load_connected_pipes = True


class Model(Base):
    _deprecated_kwargs = ("old_name",)

    def __init__(self, sample_size=8):
        pass


@pytest.fixture(autouse=True)
def mindone(monkeypatch):
    module, package = ModuleType("mindone.diffusers"), ModuleType("mindone")
    module.DiffusionPipeline, module.Pipeline, module.Connected = DiffusionPipeline, Pipeline, Connected
    package.diffusers = module
    monkeypatch.setitem(sys.modules, "mindone", package)
    monkeypatch.setitem(sys.modules, "mindone.diffusers", module)


def refusal(check, cls, *options, source="nowhere"):
    with pytest.raises(UsageError) as caught:
        check(cls, cls.from_pretrained, source, options)
    return str(caught.value)


def folder_of(path, name):
    (path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    return path


def test_options_that_are_read_somewhere_and_components_pass():
    known = ["mindspore_dtype", "variant", "cache_dir", "revision", "unet", "scheduler", "safety_checker"]
    check_pipeline(Pipeline, Pipeline.from_pretrained, "nowhere", known)
    check_model(Model, Model.from_pretrained, "nowhere", ["mindspore_dtype", "cache_dir", "sample_size", "old_name"])


def test_a_pipelines_unknown_option_with_the_nearest_one():
    assert refusal(check_pipeline, Pipeline, "unet", "varient") == (
        "Pipeline.from_pretrained has no option 'varient' and would ignore it; use variant"
    )
    assert refusal(check_pipeline, Pipeline, "banana").endswith("would ignore it; leave it out")
    assert refusal(check_pipeline, Pipeline, "kwargs").endswith("; leave it out"), "no name of an argument list"


@pytest.mark.parametrize("option", ["torch_dtype", "dtype"])
def test_the_dtype_of_torch(option):
    assert refusal(check_pipeline, Pipeline, option).endswith("use mindspore_dtype")
    assert refusal(check_model, Model, option).endswith("use mindspore_dtype")


def test_a_model_has_no_options_of_a_download_or_of_a_pipeline():
    assert "no option 'revision'" in refusal(check_model, Model, "revision")
    assert "no option 'unet'" in refusal(check_model, Model, "unet")


def test_the_generic_class_has_the_components_of_the_folders_class(tmp_path):
    folder = folder_of(tmp_path, "Pipeline")
    check_pipeline(DiffusionPipeline, DiffusionPipeline.from_pretrained, folder, ["unet"])
    message = refusal(check_pipeline, DiffusionPipeline, "unett", source=folder)
    assert message == "DiffusionPipeline.from_pretrained has no option 'unett' and would ignore it; use unet"


def test_without_the_class_only_the_dtype_of_torch_is_refused(tmp_path):
    for source in ("owner/name", folder_of(tmp_path, "Elsewhere")):
        check_pipeline(DiffusionPipeline, DiffusionPipeline.from_pretrained, source, ["unett"])
        assert refusal(check_pipeline, DiffusionPipeline, "unett", "torch_dtype", source=source).endswith(
            "has no option 'torch_dtype' and would ignore it; use mindspore_dtype"
        )


def test_the_components_of_connected_pipelines_are_not_known():
    check_pipeline(Connected, Connected.from_pretrained, "nowhere", ["prior_unet"])


def test_a_function_without_source_refuses_nothing():
    made = eval("lambda source, **kwargs: kwargs.pop('variant')")
    for check in (check_pipeline, check_model, check_transformers_model):
        check(Model, made, "nowhere", ["varient", "torch_dtype"])


class TransformersModel:
    class config_class:
        attention_dropout = 0.0
        torch_dtype = None
        varianto = 1  # a field that resembles an option

    @classmethod
    def from_pretrained(cls, source, *, local_files_only=False, **kwargs):
        return kwargs.pop("mindspore_dtype", None), kwargs.pop("variant", None)


def test_a_transformers_model_takes_the_fields_of_its_configuration():
    fields = ["attention_dropout", "varianto", "local_files_only", "variant", "anything_else"]
    check_transformers_model(TransformersModel, TransformersModel.from_pretrained, "nowhere", fields)


@pytest.mark.parametrize(
    ("option", "meant"),
    [("torch_dtype", "mindspore_dtype"), ("varient", "variant"), ("local_file_only", "local_files_only")],
)
def test_a_transformers_models_misspelled_option(option, meant):
    assert refusal(check_transformers_model, TransformersModel, option).endswith(f"would ignore it; use {meant}")
