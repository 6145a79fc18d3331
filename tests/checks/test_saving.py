"""save_pretrained refuses to write a folder that cannot be loaded, and loading recognizes such a folder."""

import inspect

import mindspore as ms
import numpy as np
import pytest
from mindone.diffusers.models.modeling_utils import ModelMixin
from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline

import mindone_tcd
from mindone_tcd import UsageError
from mindone_tcd.tiny_models import make

FIRST = r"has LoRA layers, .*; call unload_lora_weights\(\) first"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make("sdxl", tmp_path_factory.mktemp("tiny") / "sdxl")


@pytest.fixture
def pipe(folder, tmp_path):
    pipe = mindone_tcd.StableDiffusionXLPipeline.from_pretrained(str(folder))
    pipe.load_lora_weights(str(make("lora-sdxl", tmp_path / "lora")), adapter_name="tcd")
    return pipe


@pytest.fixture
def target(tmp_path):
    return tmp_path / "saved"


def unchecked(cls):
    return inspect.unwrap(cls.save_pretrained)


@pytest.fixture
def saved_with_lora(pipe, target, monkeypatch):
    """A folder that was saved without this check."""
    for cls in (DiffusionPipeline, ModelMixin):
        monkeypatch.setattr(cls, "save_pretrained", unchecked(cls))
    pipe.save_pretrained(str(target))
    return target


def test_nothing_is_written_while_a_lora_is_loaded(pipe, target):
    with pytest.raises(UsageError, match=FIRST + r", or fuse_lora\(\) and then unload_lora_weights\(\) to keep"):
        pipe.save_pretrained(str(target))
    with pytest.raises(UsageError, match="UNet2DConditionModel " + FIRST):
        pipe.unet.save_pretrained(str(target))
    pipe.delete_adapters("tcd")  # leaves the layers wrapped
    with pytest.raises(UsageError, match=FIRST):
        pipe.save_pretrained(str(target))
    assert not target.exists()


def test_an_unloaded_lora_leaves_no_trace_in_saved_files(pipe, folder, target):
    pipe.unload_lora_weights()
    pipe.save_pretrained(str(target))
    name = "unet/diffusion_pytorch_model.safetensors"
    ours, before = (ms.load_checkpoint(str(where / name), format="safetensors") for where in (target, folder))
    assert ours.keys() == before.keys()
    assert all((ours[key].asnumpy() == before[key].asnumpy()).all() for key in ours)


def test_a_fused_and_unloaded_lora_is_saved_in_the_weights(pipe, target):
    pipe.fuse_lora()
    with pytest.raises(UsageError, match=FIRST + ", which keeps the fused weights"):
        pipe.save_pretrained(str(target))
    fused = pipe.unet.mid_block.attentions[0].proj_in.base_layer.weight.asnumpy()
    pipe.unload_lora_weights()
    pipe.save_pretrained(str(target))
    loaded = mindone_tcd.DiffusionPipeline.from_pretrained(str(target))
    np.testing.assert_array_equal(loaded.unet.mid_block.attentions[0].proj_in.weight.asnumpy(), fused)


def test_a_folder_saved_with_a_lora(saved_with_lora):
    message = r"unet were saved with a LoRA loaded; create the pipeline again and save it after unload_lora_weights\(\)"
    with pytest.raises(UsageError, match=message):
        mindone_tcd.DiffusionPipeline.from_pretrained(str(saved_with_lora))
    with pytest.raises(UsageError, match=message):
        mindone_tcd.UNet2DConditionModel.from_pretrained(str(saved_with_lora), subfolder="unet")


def test_a_text_encoder_saved_with_a_lora(folder, target):
    from mindone.peft import LoraConfig

    pipe = mindone_tcd.StableDiffusionXLPipeline.from_pretrained(str(folder))
    pipe.text_encoder.add_adapter(LoraConfig(r=4, target_modules=["q_proj"]), adapter_name="tcd")
    with pytest.raises(UsageError, match="StableDiffusionXLPipeline " + FIRST):
        pipe.save_pretrained(str(target))
    unchecked(DiffusionPipeline)(pipe, str(target))
    assert not (target / "text_encoder" / "config.json").exists()
    (target / "text_encoder" / "adapter_config.json").write_text('{"peft_type": "LORA"}')  # names no base model
    message = (
        r"text_encoder contains an adapter and no model: it was saved with a LoRA loaded; create the pipeline again"
    )
    with pytest.raises(UsageError, match=message):
        mindone_tcd.DiffusionPipeline.from_pretrained(str(target))
    with pytest.raises(UsageError, match=message):
        mindone_tcd.CLIPTextModel.from_pretrained(str(target / "text_encoder"))
