"""The names in the files of a model folder are checked before MindSpore is imported."""

import json
import shutil
import subprocess
import sys

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.allowed_classes import check_class, check_config, check_index, check_shards
from mindone_tcd.files.model_folder import check_classes, find_model
from mindone_tcd.schedulers.methods import METHODS
from mindone_tcd.shapes.folder import SHAPES_FOLDER

INDEX = json.loads((SHAPES_FOLDER / "model_index.json").read_text())


@pytest.fixture
def model(tmp_path):
    """A copy of the shipped model without weights, which are checked last."""
    made = tmp_path / "model"
    shutil.copytree(SHAPES_FOLDER, made, ignore=shutil.ignore_patterns("*_lora", "*.safetensors"))
    return made


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def refused(message, call, *args, **options):
    with pytest.raises(UsageError) as caught:
        call(*args, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


# ----- classes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("diffusers", "UNet2DConditionModel"),
        ("diffusers", "FlaxAutoencoderKL"),
        ("diffusers", "EulerDiscreteScheduler"),
        *(("diffusers", method.scheduler_name) for method in METHODS.values()),
        ("diffusers", "StableDiffusionXLPipeline"),
        ("mindone.diffusers", "UNet2DConditionModel"),
        ("transformers", "CLIPTextModel"),
        ("transformers", "CLIPTextModelWithProjection"),
        ("transformers", "CLIPTokenizer"),
        ("transformers", "T5TokenizerFast"),
        ("transformers", "CLIPImageProcessor"),
        ("transformers", "CLIPFeatureExtractor"),
        ("transformers", "T5EncoderModel"),
        ("stable_diffusion", "StableDiffusionSafetyChecker"),
        ("stable_diffusion_safe", "SafeStableDiffusionSafetyChecker"),
        ("deepfloyd_if", "IFSafetyChecker"),
        ("kolors", "ChatGLMModel"),
        ("latent_diffusion", "LDMBertModel"),
        ("latent_consistency_models", "LatentConsistencyModelPipeline"),
        ("paint_by_example", "PaintByExampleImageEncoder"),
    ],
)
def test_classes_of_published_models(library, name):
    check_class(library, name, "here")


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("payload", "Scheduler"),
        ("../../payload2", "Scheduler"),
        ("/tmp/payload", "Scheduler"),
        ("os", "System"),
        ("os", "system"),
        ("this", "Zen"),
        ("builtins", "eval"),
        ("__builtins__", "eval"),
        ("__main__", "Scheduler"),
        ("", "Scheduler"),
        (".", "Scheduler"),
        ("diffusers", "os"),
        ("mindone.diffusers", "os"),
        ("mindone", "Diffusers"),
        ("diffusers", "__builtins__"),
        ("diffusers", "utils.os"),
        ("diffusers", "AutoencoderKL.__init__"),
        ("diffusers", "OnnxRuntimeModel"),
        ("diffusers", "CLIPTokenizer"),
        ("diffusers.utils", "PushToHubMixin"),
        ("diffusers.pipelines", "DiffusionPipeline"),
        ("diffusers_modules.local.payload", "Scheduler"),
        ("transformers", "pipeline"),
        ("transformers", "Trainer"),
        ("transformers", "PretrainedConfig"),
        ("transformers.dynamic_module_utils", "get_class_in_module"),
        ("transformers_modules.payload", "Model"),
        ("stable_diffusion", "os"),
        ("stable_diffusion", "Scheduler"),
        ("stable_diffusion.safety_checker", "StableDiffusionSafetyChecker"),
        ("pipeline_utils", "DiffusionPipeline"),
        ("mindone_tcd.cli", "Main"),
        ("diffusers", ["AutoencoderKL"]),
        (["diffusers"], "AutoencoderKL"),
        ("diffusers", None),
        ("diffusers", 5),
        (True, "AutoencoderKL"),
        ({"a": 1}, "AutoencoderKL"),
        ("x" * 100_000, "Scheduler"),
        ("diffusers", "X" * 100_000),
        ("diffusers", "AutoencoderKL\n"),
        ("diffusers", "Autoencoder\u212aL"),
    ],
)
def test_classes_that_are_refused(library, name, model):
    refused(
        'expected a class of mindone\'s diffusers or transformers, such as ["diffusers", ',
        check_class,
        library,
        name,
        "here",
    )
    for part in (
        "scheduler",
        "unet",
        "feature_extractor",
    ):  # the pipeline does not need the last one
        change(model / "model_index.json", **{**INDEX, part: [library, name]})
        said = refused("code from a model's folder is never run", find_model, str(model))
        assert f"model_index.json: {part} is [" in said


def test_published_entries_are_accepted(shapes):
    change(
        shapes / "model_index.json",
        safety_checker=[None, None],
        image_encoder=[None, "CLIPVisionModelWithProjection"],
        requires_safety_checker=True,
        image_mean=[0.5, 0.5],
        id2label={"0": "a"},
        _name_or_path="/home/somebody/model",
        _ignore_files=["x.bin"],
    )
    assert find_model(str(shapes)).pipeline_class == "StableDiffusionXLPipeline"


# ----- the rest of an index -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    ["os", [], ["diffusers"], ["diffusers", "AutoencoderKL", "x"], [["payload", "A"], ["os", "B"]], [[]], ["a", 1, 2]],
    ids=repr,
)
def test_entries_of_another_shape(entry, model):
    change(model / "model_index.json", scheduler=entry)
    refused("model_index.json: scheduler is ", find_model, str(model))


@pytest.mark.parametrize(
    "part", ["../x", "/etc", "..", ".", "", "a/b", "a\\b", "unet.__class__", "x\ny", "u" * 5000, "ünet"]
)
def test_component_names_that_are_paths(part, model):
    change(model / "model_index.json", **{part: ["diffusers", "UNet2DConditionModel"]})
    refused("expected the name of a component, such as 'unet'", find_model, str(model))


@pytest.mark.parametrize(
    "name",
    [
        "os",
        "__class__",
        "utils",
        "payload.Pipeline",
        "UNet2DConditionModel",
        "Nonsense",
        "",
        "A" * 9999,
        "CLIPTextModel",
    ],
)
def test_pipelines_that_are_refused(name, model):
    change(model / "model_index.json", _class_name=name)
    refused("expected a pipeline of mindone.diffusers", find_model, str(model))


@pytest.mark.parametrize("name", [["payload", "Pipeline"], None, 5, {"a": 1}])
def test_pipeline_names_that_are_not_strings(name, model):
    change(model / "model_index.json", _class_name=name)
    refused("_class_name is ", find_model, str(model))


def test_the_name_of_a_pipeline_class_that_the_caller_selects():
    index = {**INDEX, "_class_name": "MyPipeline"}
    check_index(SHAPES_FOLDER / "model_index.json", index, any_pipeline=False)
    for name in ("os", ["payload", "Pipeline"]):
        refused("_class_name", check_index, SHAPES_FOLDER, {**index, "_class_name": name}, any_pipeline=False)


@pytest.mark.parametrize("version", ["nonsense", "__import__('os')", ["0.30.0"], None, "1" * 5000])
def test_invalid_versions(version, model):
    change(model / "model_index.json", _diffusers_version=version)
    refused("expected a version such as '0.30.0'", find_model, str(model))


def test_the_index_of_a_hub_id(model, monkeypatch):
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda _name, file, *, subfolder, **_: model / (subfolder or "") / file
    )
    assert find_model("owner/model").pipeline_class == "StableDiffusionXLPipeline"
    change(model / "model_index.json", scheduler=["payload", "Scheduler"])
    refused('scheduler is ["payload", "Scheduler"]', find_model, "owner/model")


# ----- configurations of parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "entries", "message"),
    [
        ("text_encoder/config.json", {"auto_map": {"AutoConfig": "payload.Config"}}, "auto_map is {"),
        ("text_encoder/config.json", {"text_config": {"auto_map": {"AutoModel": "a--payload.M"}}}, "auto_map is {"),
        ("tokenizer/tokenizer_config.json", {"auto_map": ["payload.Tokenizer", None]}, "auto_map is ["),
        ("text_encoder/config.json", {"torch_dtype": "load"}, "torch_dtype is 'load'; expected a type such as"),
        ("text_encoder/config.json", {"dtype": "utils.data"}, "dtype is 'utils.data'; expected a type such as"),
        (
            "tokenizer/tokenizer_config.json",
            {"vocab_file": "/etc/passwd"},
            "vocab_file is '/etc/passwd'; expected none",
        ),
        ("tokenizer_2/tokenizer_config.json", {"tokenizer_file": "../x"}, "tokenizer_file is '../x'; expected none"),
        ("tokenizer/tokenizer_config.json", {"init_inputs": ["/etc/passwd"]}, "init_inputs is ["),
        ("tokenizer/tokenizer_config.json", {"sp_model_kwargs": {"model_file": "/x"}}, "model_file is '/x'"),
        ("unet/config.json", {"_class_name": ["payload", "UNet"]}, "expected the name of a class"),
        ("scheduler/scheduler_config.json", {"_class_name": "payload.Scheduler"}, "expected the name of a class"),
        ("vae/config.json", {"_class_name": "__builtins__"}, "expected the name of a class"),
    ],
)
def test_configurations_that_name_code_or_outside_files(file, entries, message, model):
    (model / file).parent.mkdir(exist_ok=True)
    if not (model / file).exists():
        (model / file).write_text("{}")
    change(model / file, **entries)
    said = refused(message, find_model, str(model))
    assert file in said


def test_published_configurations(model):
    old = {"special_tokens_map_file": "/root/.cache/x", "tokenizer_file": None, "init_inputs": [], "name_or_path": "/x"}
    check_config(model / "tokenizer" / "tokenizer_config.json", {**old, "dtype": {"dtype": 5}})
    for dtype in ("float16", "torch.float32", "bfloat16", "auto", "float8_e4m3fn"):
        check_config(
            model / "config.json", {"torch_dtype": dtype, "auto_map": {}, "_class_name": "UNet2DConditionModel"}
        )


def test_published_code_that_mindone_has_classes_for(model):
    config = {"auto_map": {"AutoModel": "modeling_chatglm.ChatGLMModel"}}
    check_config(model / "config.json", config, "kolors")
    refused("auto_map", check_config, model / "config.json", config, "transformers")
    refused("auto_map", check_config, model / "config.json", config)


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/x.safetensors", "a\\b.safetensors", "x.bin", "x.ckpt", None, 5]
)
def test_shards_outside_the_folder_and_pickles(shard, model):
    refused("expected a .safetensors file of the same folder", check_shards, model, {"weight_map": {"key": shard}})
    index = model / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"key": shard}}))
    assert index.name in refused("the file of 'key' is ", find_model, str(model))


def test_a_component_without_a_folder_is_read_from_the_root(model):
    change(model / "model_index.json", feature_extractor=["transformers", "CLIPImageProcessor"])
    (model / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": "payload.Config"}}))
    refused("auto_map", check_classes, model)


def test_no_framework_is_imported_and_no_payload_is_read(model):
    (model / "payload.py").write_text("raise SystemExit('payload')")
    change(model / "model_index.json", scheduler=["payload", "Scheduler"])
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event in ("open", "import", "exec") else None)
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.errors import UsageError
from mindone_tcd.schedulers.methods import METHODS
try:
    find_model(sys.argv[1])
except UsageError as error:
    print(error)
print([name for name in ("mindspore", "mindone", "transformers", "numpy", "payload") if name in sys.modules])
print([name for name in opened if "payload" in name])
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, str(model)],
        capture_output=True,
        text=True,
        cwd=model,
        timeout=120,
        check=False,
    )
    said, modules, opened = ran.stdout.splitlines() or [ran.stderr] * 3
    assert 'scheduler is ["payload", "Scheduler"]' in said
    assert (modules, opened) == ("[]", "[]")
