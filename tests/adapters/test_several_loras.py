"""Two LoRAs in one pipeline: weights by component and block, and loading a LoRA while another one is fused."""

import warnings

import cases
import layouts as lay
import numpy as np
import pytest
import tiny

pytestmark = pytest.mark.slow

# Both sides compute in float32, one with LoRA layers and one with merged weights: 30 layers of 6e-8, amplified by
# outputs between 1 and 6. The adapter weights move them by 0.1 or more.
TOLERANCE = 1e-4

LORAS = {
    name: lay.draw(cases.shapes(tiny.XL), (*lay.STYLE, *lay.TEXT), rank, None, seed)
    for name, rank, seed in (("style", 4, 31), ("subject", 8, 32))
}
BY_BLOCK = {
    "text_encoder": 0.3,
    "unet": {"down": {"block_1": [0.2, 0.9]}, "mid": 0.5, "up": {"block_0": [1.5, 0.0, 0.7]}},
}
BY_HAND = {
    "down_blocks.1.attentions.0.": 0.2,
    "down_blocks.1.attentions.1.": 0.9,
    "mid_block.attentions.0.": 0.5,
    "up_blocks.0.attentions.0.": 1.5,
    "up_blocks.0.attentions.1.": 0.0,
    "up_blocks.0.attentions.2.": 0.7,
}


def load(pipe, *names):
    for name in names:
        pipe.load_lora_weights(lay.peft(LORAS[name]), adapter_name=name)


def style_weight(component, path):
    """The weight of a module in BY_BLOCK. A component that it does not name has weight 1."""
    if component != "unet":
        return {"text_encoder": 0.3}.get(component, 1.0)
    (weight,) = [value for block, value in BY_HAND.items() if path.startswith(block)]
    return weight


def merge(pipe, name, weight):
    import mindspore as ms

    for (component, path), matrices in LORAS[name].items():
        parameter = dict(getattr(pipe, component).parameters_and_names())[f"{path}.weight"]
        changed = parameter.asnumpy() + matrices.delta(weight(component, path))
        parameter.set_data(ms.Tensor(changed.astype(np.float32)))


def test_weights_by_component_and_block(pipeline):
    expected = pipeline(tiny.XL)
    merge(expected, "style", style_weight)
    merge(expected, "subject", lambda component, path: 0.5)
    expected = tiny.mindone_outputs(expected, tiny.XL)
    pipe = pipeline(tiny.XL)
    load(pipe, "style", "subject")
    pipe.set_adapters(["style", "subject"])
    plain = tiny.mindone_outputs(pipe, tiny.XL)
    pipe.set_adapters(["style", "subject"], [BY_BLOCK, 0.5])
    for model, out in tiny.mindone_outputs(pipe, tiny.XL).items():
        np.testing.assert_allclose(out, expected[model], rtol=0, atol=TOLERANCE, err_msg=model)
        assert np.abs(out - plain[model]).max() > 0.1, model


def test_loading_while_another_lora_is_fused_warns_once(pipeline):
    pipe = pipeline(tiny.XL)
    load(pipe, "style")
    pipe.fuse_lora()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load(pipe, "subject")
    said = [warning for warning in caught if "fused" in str(warning.message) or "merged" in str(warning.message)]
    assert len(said) == 1
    assert "'style' was unfused" in str(said[0].message)
    assert "set_adapters(['style', 'subject'])" in str(said[0].message)
    assert said[0].filename == __file__
    pipe.set_adapters(["style", "subject"])
    expected = pipeline(tiny.XL)
    merge(expected, "style", lambda component, path: 1.0)
    merge(expected, "subject", lambda component, path: 1.0)
    expected = tiny.mindone_outputs(expected, tiny.XL)
    for model, out in tiny.mindone_outputs(pipe, tiny.XL).items():
        np.testing.assert_allclose(out, expected[model], rtol=0, atol=TOLERANCE, err_msg=model)
