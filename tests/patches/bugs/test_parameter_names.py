"""Names of parameters after a forward pass and after unloading a LoRA, and functions that depend on them."""

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import save_file

from .. import models

MOTION = {
    "block_out_channels": (8, 16),
    "motion_layers_per_block": 1,
    "motion_mid_block_layers_per_block": 1,
    "motion_num_attention_heads": 2,
    "motion_norm_num_groups": 4,
    "motion_max_seq_length": 8,
}
UNET = {
    key: value
    for key, value in models.UNET.items()
    if key not in ("addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim")
}


@pytest.fixture(scope="module")
def unet():
    from mindone.diffusers import UNet2DConditionModel

    return models.refill(UNet2DConditionModel(**models.UNET), 4)


def misnamed(model):
    return [name for name, parameter in model.parameters_and_names() if parameter.name != name]


def test_a_forward_pass_renames_nothing(unet):
    models.run_unet(unet)
    assert misnamed(unet) == []


def test_a_forward_pass_with_a_simple_mid_block_renames_nothing():
    from mindone.diffusers import UNet2DConditionModel

    simple = {**models.UNET, "mid_block_type": "UNetMidBlock2DSimpleCrossAttn"}
    unet = models.refill(UNet2DConditionModel(**simple), 4)
    block, seen = unet.mid_block, []
    x, temb, text = (ms.Tensor(models.normal(*shape)) for shape in ((1, 16, 4, 4), (1, 32), (1, 6, 24)))
    mask = ms.Tensor(np.float32([[[0, 0, -1e4, 0, 0, 0]]]))
    for options in ({}, {"encoder_attention_mask": mask}, {"attention_mask": mask}):
        found = block(x, temb, encoder_hidden_states=text, **options).asnumpy()
        states = block.resnets[0](x, temb)
        states = block.attentions[0](states, encoder_hidden_states=text, attention_mask=mask if options else None)
        np.testing.assert_array_equal(found, block.resnets[1](states, temb).asnumpy())
        seen.append(found)
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    assert misnamed(unet) == []


def load_and_unload(unet, folder):
    save_file(models.lora(unet, "unet", 0), folder / "lora.safetensors")
    unet.load_lora_adapter(str(folder), weight_name="lora.safetensors", adapter_name="style", prefix="unet")
    assert any("lora" in name for name, _ in unet.parameters_and_names())
    unet.unload_lora()


def test_unloading_renames_nothing(unet, tmp_path):
    load_and_unload(unet, tmp_path)
    assert misnamed(unet) == []


@pytest.mark.slow
def test_compiled_after_unloading(unet, tmp_path):
    expected = models.run_unet(unet)
    load_and_unload(unet, tmp_path)

    def run(x, text, pooled, sizes):
        conditions = {"text_embeds": pooled, "time_ids": sizes}
        return unet(x, ms.Tensor(999), text, added_cond_kwargs=conditions, return_dict=False)[0]

    found = ms.jit(run)(*map(ms.Tensor, models.unet_inputs())).asnumpy()
    # Graph mode sums float32 in another order: 30 layers of 6e-8.
    np.testing.assert_allclose(found, expected, atol=1e-5)


def make_motion(unet):
    from mindone.diffusers import MotionAdapter, UNetMotionModel

    return UNetMotionModel.from_unet2d(unet, models.refill(MotionAdapter(**MOTION), 5)).set_train(False)


def test_a_motion_unet_gets_all_weights_of_a_unet_that_has_run():
    from mindone.diffusers import UNet2DConditionModel

    unet = models.refill(UNet2DConditionModel(**UNET), 4)
    unet(ms.Tensor(models.normal(1, 4, 8, 8)), ms.Tensor(999), ms.Tensor(models.normal(1, 6, 24)))
    motion = dict(make_motion(unet).parameters_and_names())
    for name, parameter in unet.parameters_and_names():
        np.testing.assert_array_equal(motion[name].asnumpy(), parameter.asnumpy(), err_msg=name)


def test_a_forward_pass_of_a_motion_unet_renames_nothing():
    from mindone.diffusers import UNet2DConditionModel

    motion = make_motion(models.refill(UNet2DConditionModel(**UNET), 4))
    motion(ms.Tensor(models.normal(1, 4, 3, 8, 8)), ms.Tensor(999), ms.Tensor(models.normal(3, 6, 24)))
    assert misnamed(motion) == []


def ip_adapter(unet):
    """An IP-Adapter's weights for the tiny UNet: 4 image tokens of width 24, one key and value for each attention."""
    image = {"proj.weight": models.normal(4 * 24, 12), "proj.bias": models.normal(4 * 24)}
    image |= {"norm.weight": np.ones(24, np.float32), "norm.bias": np.zeros(24, np.float32)}
    places = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    attention = {
        f"{2 * k + 1}.{name}.weight": models.normal(16, 24, seed=k)
        for k in range(len(places))
        for name in ("to_k_ip", "to_v_ip")
    }
    arrays = {"image_proj": image, "ip_adapter": attention}
    return {
        part: {name: ms.Parameter(ms.Tensor(value)) for name, value in values.items()}
        for part, values in arrays.items()
    }


def test_a_motion_unet_from_a_unet_with_an_ip_adapter():
    from mindone.diffusers import UNet2DConditionModel

    unet = models.refill(UNet2DConditionModel(**UNET), 4)
    unet._load_ip_adapter_weights([ip_adapter(unet)])
    assert misnamed(unet) == []
    motion = dict(make_motion(unet).parameters_and_names())
    keys = [name for name, _ in unet.parameters_and_names() if "to_k_ip" in name]
    assert len(keys) == 4
    for name in keys:
        np.testing.assert_array_equal(motion[name].asnumpy(), dict(unet.parameters_and_names())[name].asnumpy())
