"""The guards in mindone's loaders, around functions that are made here."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.checks import classes
from mindone_tcd.errors import UsageError


class Pipeline:
    config_name = "model_index.json"


class DiffusionPipeline(Pipeline):
    pass


class Model:
    config_name = "config.json"


@pytest.fixture
def folder(tmp_path):
    """A pipeline's folder with one model."""
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    return tmp_path


CODE = '{"_class_name": "UNet2DConditionModel", "auto_map": {"AutoModel": "code.Model"}}'


@pytest.mark.parametrize("option", ["custom_pipeline", "trust_remote_code", "dduf_file"])
def test_options_that_lead_to_code(option):
    with pytest.raises(UsageError, match=rf"^Model\.from_pretrained does not accept {option}; leave it out: "):
        classes.check_call(Model, "owner/name", {option: "x"})
    classes.check_call(Model, "owner/name", {option: None})


def test_a_pickle_on_request_is_refused():
    with pytest.raises(UsageError, match=r"^use_safetensors=False requests a pickle"):
        classes.check_call(Model, "owner/name", {"use_safetensors": False})
    for value in (True, None):
        classes.check_call(Model, "owner/name", {"use_safetensors": value})
    given = {"variant": "fp16", "use_safetensors": None}
    assert classes.only_safetensors(given) == {"variant": "fp16", "use_safetensors": True}
    assert given["use_safetensors"] is None, "the caller's options stay as they are"


def test_a_folders_configurations_are_checked(folder):
    classes.check_call(Pipeline, folder, {})
    classes.check_call(Model, folder, {"subfolder": "unet"})
    classes.check_call(Model, folder / "unet", {})
    (folder / "unet" / "config.json").write_text(CODE)
    for arguments in ((Pipeline, folder, {}), (Model, folder, {"subfolder": "unet"}), (Model, folder / "unet", {})):
        with pytest.raises(UsageError, match="auto_map"):
            classes.check_call(*arguments)
    classes.check_call(Model, folder / "nowhere", {})


def test_only_the_generic_class_takes_the_indexs_pipeline(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "MyPipeline"}))
    classes.check_call(Pipeline, folder, {})
    with pytest.raises(UsageError, match="_class_name is 'MyPipeline'"):
        classes.check_call(DiffusionPipeline, folder, {})


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("mindone.diffusers.pipelines.kolors.text_encoder", "kolors"),
        ("mindone.diffusers.models.unets", None),
        ("mindone.transformers.models.clip.modeling_clip", None),
        ("__main__", None),
    ],
)
def test_the_package_of_a_pipelines_own_class(module, library):
    assert classes._library(type("Any", (), {"__module__": module})) == library


def test_a_guarded_loader_checks_and_asks_for_safetensors(folder):
    seen = []

    class Guarded(Model):
        @classmethod
        def from_pretrained(cls, path, **options):
            seen.append((cls, path, options, classes._loading.get()))
            return "loaded"

    original = vars(Guarded)["from_pretrained"]
    Guarded.from_pretrained = classes.checking_from_pretrained(original)
    assert Guarded.from_pretrained(folder / "unet", variant="fp16") == "loaded"
    assert Guarded.from_pretrained(path="owner/name") == "loaded"
    assert seen == [
        (Guarded, folder / "unet", {"variant": "fp16", "use_safetensors": True}, True),
        (Guarded, "owner/name", {"use_safetensors": True}, True),
    ]
    assert not classes._loading.get()
    (folder / "unet" / "config.json").write_text(CODE)
    for arguments, options in (((folder / "unet",), {}), ((), {"path": folder / "unet"})):
        with pytest.raises(UsageError, match="auto_map"):
            Guarded.from_pretrained(*arguments, **options)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("cls", "file", "content", "message"),
    [
        (Model, "config.json", [1], "must contain a JSON object, not a list"),
        (Model, "config.json", json.loads(CODE), "auto_map"),
        (Model, "model_index.json", {"unet": ["os", "System"]}, "_class_name is None"),
        (DiffusionPipeline, "model_index.json", {"_class_name": "MyPipeline"}, "_class_name is 'MyPipeline'"),
        (
            Pipeline,
            "model_index.json",
            {"_class_name": "StableDiffusionPipeline", "unet": ["os", "System"]},
            "unet is",
        ),
    ],
)
def test_every_configuration_that_is_read_is_checked(cls, file, content, message):
    method = classes.checking_configs(classmethod(lambda cls, path: content))
    reader = type(cls.__name__, (cls,), {"_dict_from_json_file": method})
    with pytest.raises(UsageError, match=message):
        reader._dict_from_json_file(f"/cache/{file}")


def test_a_configuration_that_is_right_comes_back():
    content = {"_class_name": "UNet2DConditionModel", "in_channels": 4}

    class Reader(Model):
        _dict_from_json_file = classes.checking_configs(classmethod(lambda cls, path: content))

    assert Reader._dict_from_json_file("/cache/config.json") is content


def test_the_class_of_a_component_is_checked_and_its_folder_not_searched(folder):
    find = classes.checking_component_class(lambda *args: args)
    found = find("diffusers", "UNet2DConditionModel", 1, 2, False, component_name="unet", cache_dir=folder)
    assert found == ("diffusers", "UNet2DConditionModel", 1, 2, False)
    with pytest.raises(UsageError, match=rf"^{folder}/model_index\.json: unet is \[\"os\", \"System\"\]"):
        find("os", "System", 1, 2, False, "unet", folder)
    with pytest.raises(UsageError, match=r"^the class is \[\"os\", \"System\"\]"):
        find("os", "System", 1, 2, False)
    (folder / "unet" / "config.json").write_text(CODE)
    with pytest.raises(UsageError, match="auto_map"):
        find("diffusers", "UNet2DConditionModel", 1, 2, False, "unet", folder)


def test_the_class_of_a_name_is_checked():
    find = classes.checking_class(lambda *args, **options: (args, options))
    assert find("transformers", "CLIPTextModel", 1, a=2) == (("transformers", "CLIPTextModel", 1), {"a": 2})
    with pytest.raises(UsageError, match="the class is"):
        find("subprocess", "Popen")


def test_functions_that_would_run_code_do_nothing():
    assert classes.without_custom_pipelines(print)("folder", {}, "None.py") == (None, None)
    assert classes.without_inpainting_warning(lambda *args: 1 / 0)("any", option=1) is None
    with pytest.raises(UsageError, match=r"^code\.Model, owner/name is code that comes with a model"):
        classes.refusing_code(print)("code.Model", "owner/name", "third")


def test_code_is_refused_during_a_checked_loading_alone():
    run = classes.refusing_code_while_loading(lambda *args, **options: (args, options))
    assert run(1, a=2) == ((1,), {"a": 2})
    with classes.loading(), pytest.raises(UsageError, match="is code that comes with a model"):
        run("code.Model")
    assert run(1) == ((1,), {})


def test_loading_ends_with_an_error():
    with pytest.raises(KeyError), classes.loading():
        raise KeyError
    assert not classes._loading.get()


def test_pickles_are_refused_during_a_checked_loading_alone():
    load = classes.only_safetensors_while_loading(lambda file, *args, **options: (file, args, options))
    assert load("a.bin", 1, b=2) == ("a.bin", (1,), {"b": 2})
    with classes.loading():
        assert load("a.safetensors") == ("a.safetensors", (), {})
        assert load({"a": 1}) == ({"a": 1}, (), {})
        for name in ("a.bin", Path("a.safetensors.bin"), "a"):
            with pytest.raises(UsageError, match=r"is not a \.safetensors file; only safetensors are loaded"):
                load(name)


@pytest.fixture
def fetched(tmp_path):
    """A model's folder in a cache, whose weights are far smaller than its configuration."""
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DConditionModel", "in_channels": 2000000000}')
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    save_file({"conv_in.weight": np.zeros((8, 4, 3, 3), np.float32)}, file)
    return file


def test_a_model_of_the_hub_is_checked_when_its_files_are_known(fetched):
    for result in (str(fetched), [str(fetched)], ([str(fetched)], "metadata")):
        with pytest.raises(UsageError, match=r"config\.json.*in_channels"):
            classes.checking_weights(lambda name, result=result: result)("owner/name")
        with pytest.raises(UsageError, match="in_channels"):
            classes.checking_weights(lambda result=result, **options: result)(pretrained_model_name_or_path="owner/a")


def test_other_weights_are_checked_elsewhere(fetched):
    def find(result, source):
        assert classes.checking_weights(lambda name: result)(source) is result

    find(str(fetched), str(fetched.parent))  # a folder, which was checked before
    find(None, "owner/name")
    find([], "owner/name")
    find([str(fetched.with_suffix(".bin"))], "owner/name")  # refused where it is read
    (fetched.parent / "config.json").unlink()
    find(str(fetched), "owner/name")  # the file of a LoRA
