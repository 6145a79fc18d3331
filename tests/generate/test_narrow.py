"""Which networks are read in float16 before they are quantized."""

from dataclasses import replace

import numpy as np
import safetensors.numpy

from mindone_tcd.generate.narrow import narrow_networks
from mindone_tcd.generate.plan import Extras, plan


def planned(task="text-to-image", lora=None, **extras):
    return plan(task, "shapes", "tcd", lora, Extras(**extras))


def test_float16_networks():
    assert narrow_networks(planned()) == ("unet",)
    assert narrow_networks(planned(lora="none")) == ("unet",)
    assert narrow_networks(planned("controlnet", control="canny")) == ("unet", "controlnet")
    assert narrow_networks(planned(style="badge")) == ("unet",)


def test_a_float32_lora_needs_a_float32_network(tmp_path):
    lora = tmp_path / "pytorch_lora_weights.safetensors"
    safetensors.numpy.save_file({"unet.x.lora_A.weight": np.zeros((2, 2), np.float32)}, lora)
    assert narrow_networks(planned(lora=str(lora))) == ()


def test_adapters_that_change_the_unet_keep_their_dtype():
    assert narrow_networks(planned("ip-adapter", ip_adapter=True)) == ()
    assert narrow_networks(planned("animate")) == ()


def test_a_model_on_a_hub_is_unknown():
    setup = planned()
    assert narrow_networks(replace(setup, model=replace(setup.model, local=False))) == ()
