"""Folders with the files of published models: variants, shards, a single ControlNet or UNet, and missing files."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mindone_tcd.errors import UsageError
from mindone_tcd.exports import get
from mindone_tcd.shapes.folder import SHAPES_FOLDER

UNET = "unet/diffusion_pytorch_model.safetensors"


def rename(folder, variant):
    """Rename the files to the names of SDXL base's half-precision files."""
    for path in list(folder.rglob("*.safetensors")):
        path.rename(path.with_name(f"{path.stem}.{variant}.safetensors"))


def shard(path, variant=None):
    """Split a weights file into two shards, with the index that diffusers writes."""
    tensors = load_file(path)
    path.unlink()
    middle = f".{variant}" if variant else ""
    weight_map = {}
    for number, names in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2]), 1):
        name = f"diffusion_pytorch_model{middle}-{number:05d}-of-00002.safetensors"
        save_file({key: tensors[key] for key in names}, path.with_name(name), metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names, name)
    index = {"metadata": {"total_size": sum(v.nbytes for v in tensors.values())}, "weight_map": weight_map}
    ending = f".safetensors.index.{variant}.json" if variant else ".safetensors.index.json"
    path.with_name(f"diffusion_pytorch_model{ending}").write_text(json.dumps(index))


def assert_is_the_shipped_unet(unet):
    wanted = load_file(SHAPES_FOLDER / UNET)
    found = {name: parameter.asnumpy() for name, parameter in unet.parameters_and_names()}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name].astype(value.dtype), value, err_msg=name)


def load(folder, **options):
    return get("StableDiffusionXLPipeline").from_pretrained(str(folder), **options)


def test_half_precision_variant(shapes):
    rename(shapes, "fp16")
    pipe = load(shapes, variant="fp16")
    assert_is_the_shipped_unet(pipe.unet)
    wanted = load_file(SHAPES_FOLDER / "text_encoder_2" / "model.safetensors")["text_projection.weight"]
    np.testing.assert_array_equal(pipe.text_encoder_2.text_projection.weight.asnumpy().astype(wanted.dtype), wanted)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_sharded_weights(shapes, variant):
    if variant:
        rename(shapes, variant)
    shard(shapes / UNET.replace(".safetensors", f".{variant}.safetensors" if variant else ".safetensors"), variant)
    assert_is_the_shipped_unet(load(shapes, variant=variant).unet)


def test_a_single_unet_in_a_pipeline(shapes, tmp_path):
    alone = tmp_path / "lcm-sdxl"
    shutil.move(shapes / "unet", alone)
    unet = get("UNet2DConditionModel").from_pretrained(str(alone))
    pipe = load(shapes, unet=unet)
    assert pipe.unet is unet
    assert_is_the_shipped_unet(pipe.unet)


def test_a_single_controlnet(shapes):
    net = get("ControlNetModel").from_unet(get("UNet2DConditionModel").from_pretrained(str(shapes), subfolder="unet"))
    net.save_pretrained(str(shapes / "controlnet"))
    loaded = get("ControlNetModel").from_pretrained(str(shapes), subfolder="controlnet")
    values = {name: parameter.asnumpy() for name, parameter in net.parameters_and_names()}
    for name, parameter in loaded.parameters_and_names():
        np.testing.assert_array_equal(parameter.asnumpy(), values[name], err_msg=name)
    pipe = get("StableDiffusionXLControlNetPipeline").from_pretrained(str(shapes), controlnet=loaded)
    assert pipe.controlnet is loaded
    assert_is_the_shipped_unet(pipe.unet)


# ----- missing files -------------------------------------------------------------------------------------------------


def test_no_files_of_the_variant(shapes):
    with pytest.raises(UsageError, match=r"model has no weights of the variant 'fp16', but others: leave variant out"):
        load(shapes, variant="fp16")
    with pytest.raises(UsageError, match=r"unet has no weights of the variant 'fp16', but others: leave variant out"):
        get("UNet2DConditionModel").from_pretrained(str(shapes / "unet"), variant="fp16")


def test_only_files_of_a_variant(shapes):
    rename(shapes, "fp16")
    with pytest.raises(UsageError, match=r'text_encoder has only weights of the variant fp16; pass variant="fp16"'):
        load(shapes)
    with pytest.raises(UsageError, match=r'unet has only weights of the variant fp16; pass variant="fp16"'):
        get("UNet2DConditionModel").from_pretrained(str(shapes), subfolder="unet")
    with pytest.raises(UsageError, match=r"""variant 'bf16', but others: pass variant="fp16"$"""):
        load(shapes, variant="bf16")


def test_a_component_without_weights(shapes):
    (shapes / "text_encoder" / "model.safetensors").rename(shapes / "text_encoder" / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"text_encoder has no \.safetensors weights \(pytorch_model\.bin cannot be"):
        load(shapes)


def test_a_missing_shard(shapes):
    shard(shapes / UNET)
    (shapes / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UsageError, match=r"unet lacks diffusion_pytorch_model-00002-of-00002\.safetensors"):
        load(shapes)


def test_truncated_weights(shapes):
    path = shapes / UNET
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"diffusion_pytorch_model\.safetensors is damaged"):
        load(shapes)


def test_other_errors_name_the_folder_and_the_options(shapes):
    with pytest.raises(UsageError, match="or check the options of this call") as caught:
        load(shapes, mindspore_dtype="float32", scheduler="nonsense")
    assert isinstance(caught.value.__cause__, ValueError)
