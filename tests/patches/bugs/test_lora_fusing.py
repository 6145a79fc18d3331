"""Fuse and unfuse LoRAs: with scales, twice, several at once; in the UNet and both text encoders."""

import warnings

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd import UsageError

from .. import models

pytestmark = pytest.mark.slow

PARTS = ("unet", "text_encoder", "text_encoder_2")
# A weight of about 1 is fused and unfused in float32: two roundings of 6e-8, carried through about 30 layers.
TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def pipe():
    return models.make_pipeline()


@pytest.fixture(scope="module")
def folders(pipe, tmp_path_factory):
    """Two LoRA folders, each for all three models."""
    made = {}
    for seed, name in enumerate(("first", "second")):
        arrays = {}
        for part in PARTS:
            arrays |= models.lora(getattr(pipe, part), part, seed)
        made[name] = tmp_path_factory.mktemp(name)
        save_file(arrays, made[name] / "pytorch_lora_weights.safetensors")
    return made


def load(pipe, folders, name):
    pipe.load_lora_weights(str(folders[name]), weight_name="pytorch_lora_weights.safetensors", adapter_name=name)


@pytest.fixture(scope="module")
def weights(pipe):
    return {part: {n: p.asnumpy().copy() for n, p in getattr(pipe, part).parameters_and_names()} for part in PARTS}


@pytest.fixture(autouse=True)
def base_weights(pipe, weights):
    """Every test starts with exactly the same weights, without rounding errors of the previous test."""
    yield
    pipe.unload_lora_weights()
    for part in PARTS:
        for name, parameter in getattr(pipe, part).parameters_and_names():
            parameter.set_data(ms.Tensor(weights[part][name]))


@pytest.fixture
def loaded(pipe, folders):
    load(pipe, folders, "first")
    load(pipe, folders, "second")
    pipe.set_adapters("first")
    return pipe


def outputs(pipe):
    return [models.run_unet(pipe.unet), *(models.run_text_encoder(getattr(pipe, part)) for part in PARTS[1:])]


def assert_same(found, expected, tolerance=TOLERANCE):
    for part, one, other in zip(PARTS, found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=0, err_msg=part)


def assert_different(found, expected):
    for part, one, other in zip(PARTS, found, expected, strict=True):
        assert np.abs(one - other).max() > 1e-2, part


@pytest.fixture(scope="module")
def base(pipe):
    return outputs(pipe)


def test_unfusing_restores_the_weights(loaded, base):
    before = outputs(loaded)
    assert_different(before, base)
    loaded.fuse_lora()
    assert_same(outputs(loaded), before)
    loaded.unfuse_lora()
    assert_same(outputs(loaded), before)
    loaded.set_adapters(["first", "second"], [0.0, 0.0])
    assert_same(outputs(loaded), base)


@pytest.mark.parametrize("times", [1, 2])
def test_fusing_with_a_scale(loaded, times):
    before = outputs(loaded)
    loaded.set_adapters("first", 0.5)
    half = outputs(loaded)
    loaded.set_adapters("first")
    for _ in range(times):
        loaded.fuse_lora(lora_scale=0.5)
        assert_same(outputs(loaded), half)
    loaded.unfuse_lora()
    assert_same(outputs(loaded), before)


def test_unfusing_after_set_adapters_changed_the_scale(loaded, base):
    loaded.set_adapters(["first", "second"], [0.5, 2.0])
    both = outputs(loaded)
    loaded.fuse_lora()
    assert_same(outputs(loaded), both)
    loaded.set_adapters(["first", "second"], [0.0, 0.0])  # has an effect after unfusing
    assert_same(outputs(loaded), both)
    loaded.unfuse_lora()
    assert_same(outputs(loaded), base)


def test_an_adapter_beside_a_fused_one(loaded):
    loaded.set_adapters(["first", "second"])
    both = outputs(loaded)
    loaded.fuse_lora(adapter_names=["first"])
    assert_same(outputs(loaded), both)
    loaded.set_adapters("second")
    assert_same(outputs(loaded), both)
    loaded.fuse_lora()
    assert_same(outputs(loaded), both)


def test_lora_scale_applies_to_an_inactive_adapter(loaded):
    loaded.set_adapters(["first", "second"], [1.0, 0.5])
    both = outputs(loaded)
    loaded.set_adapters(["first", "second"])  # an adapter keeps its weight when it is inactive
    loaded.set_adapters("first")
    loaded.fuse_lora(adapter_names=["second"], lora_scale=0.5)
    assert_same(outputs(loaded), both)


def test_another_scale_is_refused(loaded):
    loaded.fuse_lora(lora_scale=0.5)
    half = outputs(loaded)
    with pytest.raises(UsageError, match=r"'first' is already fused with the weight 0\.5, not 1; .*unfuse_lora\(\)"):
        loaded.fuse_lora()
    with pytest.raises(UsageError, match=r"not 1; call unfuse_lora\(\) first"):
        loaded.unet.fuse_lora()
    loaded.set_adapters("first", 0.7)
    with pytest.raises(UsageError, match=r"not 0\.35; "):
        loaded.fuse_lora(lora_scale=0.5)
    assert_same(outputs(loaded), half, 0)


def test_a_refusal_changes_no_model(loaded):
    before = outputs(loaded)
    loaded.fuse_lora(components=["text_encoder_2"], lora_scale=0.5)
    with pytest.raises(UsageError, match="unfuse_lora"):
        loaded.fuse_lora()
    assert loaded.unet.mid_block.attentions[0].proj_in.merged_adapters == []
    loaded.unfuse_lora()
    loaded.fuse_lora()
    assert_same(outputs(loaded), before)


def test_fusing_while_disabled_is_refused(loaded, base):
    before = outputs(loaded)
    loaded.disable_lora()
    with pytest.raises(UsageError, match=r"call enable_lora\(\) first"):
        loaded.fuse_lora()
    assert_same(outputs(loaded), base)
    loaded.enable_lora()
    loaded.fuse_lora()
    assert_same(outputs(loaded), before)


@pytest.mark.parametrize("names", ["frist", ["first", "frist"]])
@pytest.mark.parametrize("call", ["fuse_lora", "delete_adapters"])
def test_names_that_are_not_loaded(loaded, call, names):
    before = outputs(loaded)
    with pytest.raises(
        UsageError, match=rf"{call}\(\) got 'frist'; expected names of loaded adapters: 'first', 'second'"
    ):
        getattr(loaded, call)(adapter_names=names)
    assert loaded.get_list_adapters() == {part: ["first", "second"] for part in PARTS}
    assert_same(outputs(loaded), before, 0)


def test_one_name_as_a_string(loaded):
    before = outputs(loaded)
    loaded.fuse_lora(adapter_names="first")
    assert loaded.unet.mid_block.attentions[0].proj_in.merged_adapters == ["first"]
    assert_same(outputs(loaded), before)


def test_loading_another_lora_removes_a_fused_one(pipe, folders, base):
    """As in diffusers, only the new adapter is active after loading. A warning says so."""
    load(pipe, folders, "second")
    alone = outputs(pipe)
    load(pipe, folders, "first")
    pipe.set_adapters(["first", "second"])
    both = outputs(pipe)
    pipe.unload_lora_weights()
    load(pipe, folders, "first")
    pipe.fuse_lora()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        load(pipe, folders, "second")
    said = [str(warning.message) for warning in caught if "fused LoRA" in str(warning.message)]
    # One warning for the pipeline if our loader is installed; otherwise one for each model.
    assert len(said) in (1, 3)
    assert "'first' was unfused" in said[0]
    assert "set_adapters(['first', 'second'])" in said[0]
    assert not any("merged" in str(warning.message) for warning in caught)
    assert_same(outputs(pipe), alone)
    pipe.set_adapters(["first", "second"])
    assert_same(outputs(pipe), both)
    pipe.unload_lora_weights()
    assert_same(outputs(pipe), base)


def test_disabling_removes_a_fused_lora(loaded, base):
    before = outputs(loaded)
    loaded.fuse_lora(lora_scale=0.5)
    loaded.disable_lora()
    assert_same(outputs(loaded), base)
    loaded.enable_lora()
    assert_same(outputs(loaded), before)


def test_deleting_removes_a_fused_lora(loaded, base):
    loaded.fuse_lora(lora_scale=0.5)
    loaded.delete_adapters(["first", "second"])
    assert_same(outputs(loaded), base)


def test_unloading_restores_exactly_the_base_weights(loaded, base):
    loaded.unload_lora_weights()
    assert_same(outputs(loaded), base, 0)


def test_unloading_keeps_fused_weights(loaded):
    before = outputs(loaded)
    loaded.fuse_lora()
    loaded.unload_lora_weights()
    assert_same(outputs(loaded), before)


def test_a_broken_adapter_is_not_partly_fused(loaded):
    before = outputs(loaded)
    weight = loaded.unet.up_blocks[-1].resnets[-1].conv1.lora_B["first"].weight
    good = weight.asnumpy().copy()
    weight.set_data(ms.Tensor(np.full_like(good, np.nan)))
    with pytest.raises(ValueError, match=r"up_blocks.*NaN"):
        loaded.fuse_lora(safe_fusing=True)
    weight.set_data(ms.Tensor(good))
    assert_same(outputs(loaded), before)


def test_an_adapter_beside_a_fused_one_compiled(loaded):
    loaded.set_adapters(["first", "second"])
    loaded.fuse_lora(adapter_names=["first"])
    layer = loaded.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q

    def run(x):
        return layer(x)

    x = ms.Tensor(models.normal(1, 3, 16))
    np.testing.assert_allclose(ms.jit(run)(x).asnumpy(), run(x).asnumpy(), atol=1e-6)
    only_base = layer.base_layer(x).asnumpy()
    assert np.abs(run(x).asnumpy() - only_base).max() > 1e-2


def load_biased(unet, layer):
    """Load a LoRA with biases into layers of this name, with the UNet's loader (`load_lora_weights` refuses biases)."""
    arrays = {name: array for name, array in models.lora(unet, "unet", 5).items() if f".{layer}." in name}
    biases = {
        name.replace("lora_B.weight", "lora_B.bias"): array[:, 0].copy()
        for name, array in arrays.items()
        if "lora_B" in name
    }
    tensors = {name: ms.Parameter(array) for name, array in (arrays | biases).items()}
    unet.load_lora_adapter(tensors, prefix="unet", adapter_name="biased")


def test_a_bias_is_fused_and_unfused(pipe, base):
    load_biased(pipe.unet, "to_out.0")
    before = models.run_unet(pipe.unet)
    assert np.abs(before - base[0]).max() > 1e-2
    pipe.fuse_lora(components=["unet"])
    np.testing.assert_allclose(models.run_unet(pipe.unet), before, atol=TOLERANCE)
    pipe.unfuse_lora(components=["unet"])
    pipe.unload_lora_weights()
    assert_same(outputs(pipe), base)


def test_a_bias_for_a_layer_without_bias_is_refused(pipe, base):
    load_biased(pipe.unet, "attn1.to_q")
    with pytest.raises(UsageError, match="whose layer has no bias"):
        pipe.fuse_lora(components=["unet"])
    pipe.unload_lora_weights()
    assert_same(outputs(pipe), base, 0)


def test_dora_is_refused_before_anything_changes(pipe, tmp_path, base):
    arrays = models.lora(pipe.unet, "unet", 5)
    dora = {
        k.replace("lora_B.weight", "lora_magnitude_vector"): v[:, 0].copy().ravel()
        for k, v in arrays.items()
        if "lora_B" in k
    }
    save_file({**arrays, **dora}, tmp_path / "pytorch_lora_weights.safetensors")
    with pytest.raises(UsageError, match="DoRA"):
        pipe.load_lora_weights(str(tmp_path), weight_name="pytorch_lora_weights.safetensors")
    assert not any("lora" in name for name, _ in pipe.unet.parameters_and_names())
    assert_same(outputs(pipe), base, 0)
