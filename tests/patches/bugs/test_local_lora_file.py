"""A local LoRA folder without weight_name, offline."""

import pytest
from mindone.diffusers import StableDiffusionXLPipeline
from mindone.diffusers.loaders import lora_base
from safetensors.numpy import save_file

from mindone_tcd import UsageError

from ..models import normal


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(lora_base, "HF_HUB_OFFLINE", True)


def save(folder, *names):
    for name in names:
        save_file({"unet.mid_block.to_q.lora_A.weight": normal(2, 4)}, folder / name)


@pytest.mark.parametrize("names", [("style.safetensors",), ("pytorch_lora_weights.safetensors", "other.safetensors")])
def test_file_is_found(names, tmp_path):
    save(tmp_path, *names)
    arrays = StableDiffusionXLPipeline.lora_state_dict(str(tmp_path))[0]
    (found,) = arrays.values()
    assert found.asnumpy().tolist() == normal(2, 4).tolist()


def test_the_path_of_a_file(tmp_path):
    save(tmp_path, "style.safetensors")
    assert len(StableDiffusionXLPipeline.lora_state_dict(str(tmp_path / "style.safetensors"))[0]) == 1


@pytest.mark.parametrize(
    ("names", "message"), [((), "no safetensors"), (("x.safetensors", "y.safetensors"), "2 safetens")]
)
def test_no_file_or_several(names, message, tmp_path):
    save(tmp_path, *names)
    with pytest.raises(UsageError, match=message):
        StableDiffusionXLPipeline.lora_state_dict(str(tmp_path))


def test_a_hub_id_still_needs_the_name():
    with pytest.raises(ValueError, match="weight_name"):
        StableDiffusionXLPipeline.lora_state_dict("somebody/some-lora")
