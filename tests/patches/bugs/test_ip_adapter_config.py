"""A UNet whose IP-Adapter was unloaded is unchanged, and mindone and diffusers can load it after saving."""

import json

import numpy as np
import pytest

from .. import models
from .test_parameter_names import ip_adapter


@pytest.fixture(scope="module")
def unloaded(tmp_path_factory):
    """The UNet's output and configuration before, the pipeline and the configuration after, and the saved folder."""
    pipe = models.make_pipeline()
    before = models.run_unet(pipe.unet), dict(pipe.unet.config)
    pipe.load_ip_adapter(ip_adapter(pipe.unet), subfolder="", weight_name="", image_encoder_folder=None)
    assert pipe.unet.config["encoder_hid_dim_type"] == "ip_image_proj"
    pipe.unload_ip_adapter()
    after = dict(pipe.unet.config)  # saving adds to it
    folder = tmp_path_factory.mktemp("unloaded")
    pipe.save_pretrained(folder)
    return before, pipe, after, folder


def test_the_unet_is_unchanged(unloaded):
    (output, config), pipe, after, _ = unloaded
    np.testing.assert_array_equal(models.run_unet(pipe.unet), output)
    assert after == config
    assert pipe.unet.config.encoder_hid_dim_type is None
    assert pipe.unet.encoder_hid_dim_type is None


def test_the_saved_folder_has_no_ip_adapter(unloaded):
    *_, folder = unloaded
    assert json.loads((folder / "unet" / "config.json").read_text())["encoder_hid_dim_type"] is None


def test_mindone_loads_the_saved_folder(unloaded):
    (output, _), pipe, _, folder = unloaded
    again = type(pipe).from_pretrained(folder)
    np.testing.assert_array_equal(models.run_unet(again.unet), output)


@pytest.mark.parity
def test_diffusers_loads_the_saved_folder(unloaded):
    import torch
    from diffusers import UNet2DConditionModel

    (output, _), *_, folder = unloaded
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    x, text, pooled, sizes = map(torch.from_numpy, models.unet_inputs())
    with torch.no_grad():
        found = unet(x, 999, text, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}).sample.numpy()
    # Two frameworks sum float32 in different orders: about 30 layers of 6e-8.
    np.testing.assert_allclose(found, output, atol=1e-5)
