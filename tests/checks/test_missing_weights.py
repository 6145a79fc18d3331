"""Why the weights of a folder cannot be loaded."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.checks.missing_weights import check_existing_files, explain, raise_with_component
from mindone_tcd.errors import UsageError

PLAIN = "diffusion_pytorch_model.safetensors"
HALF = "diffusion_pytorch_model.fp16.safetensors"


def model(folder, *files):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    for name in files:
        save_file({"a": np.zeros(1, np.float32)}, folder / name)
    return folder


def pipeline(folder, **parts):
    for name, files in parts.items():
        model(folder / name, *files)
    index = {"_class_name": "P", **{name: ["diffusers", "UNet2DConditionModel"] for name in parts}}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def refusal(function, *args, **options):
    with pytest.raises(UsageError) as caught:
        function(*args, **options)
    return str(caught.value)


def test_weights_that_are_there(tmp_path):
    explain(model(tmp_path / "a", PLAIN), None)
    explain(model(tmp_path / "b", HALF), "fp16")
    explain(model(tmp_path / "c", "model-00001-of-00001.safetensors"), None)
    explain(pipeline(tmp_path / "p", unet=[HALF], vae=[PLAIN]), "fp16")


def test_a_models_variant(tmp_path):
    half = model(tmp_path / "half", HALF)
    assert refusal(explain, half, None) == f'{half} has only weights of the variant fp16; pass variant="fp16"'
    assert refusal(explain, half, "bf16").endswith("of the variant 'bf16', but others: pass variant=\"fp16\"")
    both = model(tmp_path / "both", PLAIN, HALF)
    explain(both, None)
    assert refusal(explain, both, "bf16") == (
        f"{both} has no weights of the variant 'bf16', but others: leave variant out, or pass variant=\"fp16\""
    )


def test_a_pipelines_variant_may_be_missing_in_some_components(tmp_path):
    folder = pipeline(tmp_path, unet=[HALF], vae=[PLAIN])
    assert refusal(explain, folder, "bf16").startswith(f"{folder} has no weights of the variant 'bf16'")
    assert refusal(explain, folder, None).startswith(f"{folder / 'unet'} has only weights of the variant fp16")
    explain(folder, None, given=["unet"])


def test_no_weights_at_all(tmp_path):
    assert "has no .safetensors weights" in refusal(explain, model(tmp_path / "a"), None)
    folder = pipeline(tmp_path / "p", unet=[PLAIN], vae=[])
    assert f"{folder / 'vae'} has no .safetensors weights" in refusal(explain, folder, None)
    explain(folder, None, given=["vae"])


def test_damaged_weights(tmp_path):
    folder = model(tmp_path, PLAIN)
    (folder / PLAIN).write_bytes((folder / PLAIN).read_bytes()[:-1])
    assert str(folder / PLAIN) in refusal(explain, folder, None)


def test_an_adapter_in_a_models_place(tmp_path):
    folder = pipeline(tmp_path, unet=[PLAIN])
    unet = folder / "unet"
    (unet / "adapter_config.json").write_text("{}")
    explain(folder, None)  # a model may have an adapter beside it
    (unet / "config.json").unlink()
    for where in (folder, unet):
        assert refusal(explain, where, None).startswith(f"{unet} contains an adapter and no model: it was saved with a")


def test_files_are_checked_by_the_class_that_the_index_names(tmp_path):
    folder = pipeline(tmp_path, unet=[PLAIN])
    check_existing_files(folder, "P")
    (folder / "unet" / "config.json").write_text('{"in_channels": "four"}')
    assert "unet/config.json: in_channels is 'four'" in refusal(check_existing_files, folder, "P")
    assert "in_channels is 'four'" in refusal(check_existing_files, folder / "unet", "UNet2DConditionModel")
    check_existing_files(folder, "P", given=["unet"])


def failed(name=None):
    def load_sub_model(name):
        raise KeyError("no such\nkey")

    def load():
        raise KeyError("no such\nkey")

    try:
        load_sub_model(name) if name else load()
    except KeyError as error:
        return error


def test_an_error_names_the_folder_and_the_component(tmp_path):
    assert refusal(raise_with_component, tmp_path, failed()).startswith(
        f"{tmp_path} cannot be loaded (KeyError: 'no such\\nkey')"
    )
    assert refusal(raise_with_component, tmp_path, failed("unet")).startswith(
        f"unet of {tmp_path} cannot be loaded (KeyError: "
    )
    error = ValueError("first\nsecond")
    with pytest.raises(UsageError, match=r"\(ValueError: first\); fetch or save") as caught:
        raise_with_component(tmp_path, error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [UsageError("a"), MemoryError(), ImportError("a")])
def test_errors_that_the_folder_did_not_cause_are_left_to_the_caller(tmp_path, error):
    raise_with_component(tmp_path, error)
