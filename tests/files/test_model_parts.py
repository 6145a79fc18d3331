"""The files of one component: which checks each kind of folder gets."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_parts import check_existing_files, read_config, read_scheduler


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("config", "part", "named", "kind"),
    [
        ({}, "unet", None, "UNet2DConditionModel"),
        ({}, "text_encoder_2", None, "CLIPTextModelWithProjection"),
        ({}, "image_encoder", None, None),
        ({"_class_name": "AutoencoderKL"}, "unet", None, "AutoencoderKL"),
        ({"_class_name": "AutoencoderKL"}, "part", "UNet2DConditionModel", "UNet2DConditionModel"),
        ({"_class_name": "AutoencoderKL"}, "part", "Elsewhere", "AutoencoderKL"),
        ({"_class_name": "Own"}, "unet", "Elsewhere", "UNet2DConditionModel"),
        ({"_class_name": "Own"}, "part", None, "Own"),
        ({"_class_name": "Own"}, "part", "Elsewhere", "Elsewhere"),
    ],
)
def test_the_class_of_a_configuration(tmp_path, config, part, named, kind):
    assert read_config(write(tmp_path / "config.json", config), part, named) == (config, kind)


def test_the_fields_of_that_class_are_checked(tmp_path):
    path = write(tmp_path / "config.json", {"in_channels": "four"})
    with pytest.raises(UsageError, match=r"config\.json: in_channels is 'four'"):
        read_config(path, "unet")
    assert read_config(path, "part", "T2IAdapter") == ({"in_channels": "four"}, "T2IAdapter")


def test_a_schedulers_configuration(tmp_path):
    path = tmp_path / "scheduler_config.json"
    config = {"beta_start": 0.00085, "other": 1}
    assert read_scheduler(write(path, config)) == config
    with pytest.raises(UsageError, match=r"scheduler_config\.json: beta_start is -1"):
        read_scheduler(write(path, {"beta_start": -1}))
    with pytest.raises(UsageError, match=r"scheduler_config\.json has none of a scheduler's fields; fetch or save"):
        read_scheduler(write(path, {"other": 1}))


def weights(folder):
    save_file({"conv_in.weight": np.zeros((8, 4, 3, 3), np.float32)}, folder / "model.safetensors")


def test_each_kind_of_folder_is_checked(tmp_path):
    folders = {
        "scheduler": {"scheduler_config.json": {"beta_start": -1}},
        "tokenizer": {"vocab.json": {"a": -1}},
        "unet": {"config.json": {"in_channels": "four"}},
    }
    for name, files in folders.items():
        for file, content in files.items():
            write(tmp_path / name / file, content)
    weights(tmp_path / "unet")
    for name, fault in (("scheduler", "beta_start is -1"), ("tokenizer", "'a' is -1"), ("unet", "in_channels is")):
        with pytest.raises(UsageError, match=fault):
            check_existing_files(tmp_path / name)


def test_a_tokenizer_of_merges_alone_is_one(tmp_path):
    (tmp_path / "merges.txt").write_text("#version\n")
    with pytest.raises(UsageError, match=r"vocab\.json"):
        check_existing_files(tmp_path)


def test_what_is_not_there_is_not_missed(tmp_path):
    check_existing_files(tmp_path)
    write(tmp_path / "config.json", {"in_channels": "four"})
    check_existing_files(tmp_path, "UNet2DConditionModel")  # no weights: another message says so


def test_a_configuration_that_asks_for_more_than_its_weights(tmp_path):
    write(tmp_path / "config.json", {"in_channels": 4, "cross_attention_dim": 2_000_000})
    weights(tmp_path)
    with pytest.raises(UsageError, match=r"config\.json: cross_attention_dim is 2000000"):
        check_existing_files(tmp_path, "UNet2DConditionModel")


def test_damaged_weights(tmp_path):
    write(tmp_path / "config.json", {})
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UsageError, match=r"model\.safetensors"):
        check_existing_files(tmp_path)
