"""hotswap=True equals loading the new file from the start. A file that does not match changes nothing."""

import cases
import layouts as lay
import numpy as np
import pytest
import tiny

from mindone_tcd.adapters import loaded_loras
from mindone_tcd.errors import UsageError

pytestmark = pytest.mark.slow


def draw(targets=("to_q", "conv1"), rank=2, alpha=1.0, seed=0, text=False):
    return lay.kohya(lay.draw(cases.shapes(tiny.SD, text=text), targets, rank, alpha, seed))


OLD, NEW = draw(seed=1), draw(alpha=4.0, seed=2)


def outputs(pipe):
    return tiny.mindone_outputs(pipe, tiny.SD)["unet"]


def state(pipe):
    """All weights, including those of LoRAs, their scales, and the records."""
    from mindone.peft.tuners.lora import LoraLayer

    weights = {}
    for model in (pipe.unet, pipe.text_encoder):
        weights |= {parameter.name: parameter.asnumpy().tobytes() for parameter in model.get_parameters()}
    layers = [cell for _, cell in pipe.unet.cells_and_names() if isinstance(cell, LoraLayer)]
    scales = [(dict(layer.scaling), dict(layer.lora_alpha), list(layer.merged_adapters)) for layer in layers]
    configs = {name: config.to_dict() for name, config in pipe.unet.peft_config.items()}
    return weights, scales, configs, loaded_loras(pipe)


@pytest.fixture
def refused():
    def swap(pipe, file, message):
        before = state(pipe)
        with pytest.raises(UsageError, match=message) as caught:
            pipe.load_lora_weights(file, adapter_name="a", hotswap=True)
        assert "\n" not in str(caught.value)
        assert state(pipe) == before

    return swap


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, NEW),
        (draw(alpha=lambda k: (1.0, 2.0)[k % 2]), NEW),
        (OLD, draw(alpha=lambda k: (4.0, 3.0)[k % 2], seed=3)),
        (draw(rank=lambda k: (2, 4)[k % 2]), draw(rank=lambda k: (2, 4)[k % 2], seed=3)),
    ],
    ids=["another alpha", "alphas that differed", "alphas that differ", "ranks that differ"],
)
def test_a_hotswap_equals_loading_the_new_file(pipeline, old, new):
    # The name "a" also occurs inside the parameter names of other adapters.
    swapped, afresh = pipeline(tiny.SD), pipeline(tiny.SD)
    for pipe, file in ((swapped, old), (afresh, new)):
        pipe.load_lora_weights(draw(seed=9), adapter_name="beside")
        pipe.load_lora_weights(file, adapter_name="a")
    swapped.load_lora_weights(new, adapter_name="a", hotswap=True)
    for weights in (1.0, 0.5, [0.5, 2.0]):
        names = ["a", "beside"] if isinstance(weights, list) else ["a"]
        for pipe in (swapped, afresh):
            pipe.set_adapters(names, weights)
        np.testing.assert_array_equal(outputs(swapped), outputs(afresh))
    assert state(swapped) == state(afresh)


def test_lower_ranks_after_enable_lora_hotswap(pipeline):
    swapped, afresh = pipeline(tiny.SD), pipeline(tiny.SD)
    swapped.enable_lora_hotswap(target_rank=4)
    swapped.load_lora_weights(draw(("to_q",), rank=4, seed=1), adapter_name="a")
    for rank in (2, 3):
        new = draw(("to_q",), rank=rank, alpha=4.0, seed=rank)
        swapped.load_lora_weights(new, adapter_name="a", hotswap=True)
    afresh.load_lora_weights(new, adapter_name="a")
    for weight in (None, 0.5):
        if weight is not None:
            swapped.set_adapters("a", weight)
            afresh.set_adapters("a", weight)
        # Zeros are added to the sums, whose order can change.
        np.testing.assert_allclose(outputs(swapped), outputs(afresh), rtol=0, atol=1e-5)
    with pytest.raises(UsageError, match=r"12 of another rank: .* \(5 where 4 is loaded\)"):
        swapped.load_lora_weights(draw(("to_q",), rank=5), adapter_name="a", hotswap=True)


def test_a_file_that_does_not_match_is_refused(pipeline, refused):
    pipe = pipeline(tiny.SD)
    pipe.load_lora_weights(draw(seed=9), adapter_name="beside")
    pipe.load_lora_weights(OLD, adapter_name="a")
    place = r"down_blocks\.0\.attentions\.0\.transformer_blocks\.0\.attn1\."
    refused(
        pipe, draw(("to_q", "conv1", "to_k")), rf"modules .* 'a'.* differ: 12 only in the new one: {place}to_k, .*, …;"
    )
    refused(pipe, draw(("to_q",)), r"they differ: \d+ only in the loaded one: .*conv1.*delete_adapters\(\) and load it")
    refused(pipe, draw(("to_k",)), "they differ: 12 only in the new one: .*; [0-9]+ only in the loaded one: ")
    refused(pipe, draw(rank=lambda k: (2, 4)[k == 0]), r"they differ: 1 of another rank: .* \(4 where 2 is loaded\)")
    refused(pipe, draw(rank=1), r"of another rank: .* \(1 where 2 is loaded\), .*, …;")
    refused(
        pipe, draw(("to_q", "conv1", "q_proj"), text=True), "only a UNet's LoRA, but this one also has the text_encoder"
    )
    with pytest.raises(UsageError, match=r"replaces a loaded adapter, but 'b' is not loaded \(loaded: a, beside\)"):
        pipe.load_lora_weights(NEW, adapter_name="b", hotswap=True)


def test_an_adapter_of_the_text_encoder_too_is_refused(pipeline, refused):
    pipe = pipeline(tiny.SD)
    pipe.load_lora_weights(draw(("to_q", "conv1", "q_proj"), text=True), adapter_name="a")
    refused(pipe, NEW, "only a UNet's LoRA, but adapter 'a' is also in the text_encoder")


def test_a_fused_adapter_is_refused(pipeline, refused):
    pipe, afresh = pipeline(tiny.SD), pipeline(tiny.SD)
    pipe.load_lora_weights(OLD, adapter_name="a")
    pipe.fuse_lora()
    refused(pipe, NEW, r"'a' is fused into the weights; call unfuse_lora\(\) first")
    pipe.unfuse_lora()
    pipe.load_lora_weights(NEW, adapter_name="a", hotswap=True)
    afresh.load_lora_weights(NEW, adapter_name="a")
    # The tolerance covers the rounding of fusing and unfusing; the two LoRAs differ by 0.5 and more.
    np.testing.assert_allclose(outputs(pipe), outputs(afresh), rtol=0, atol=1e-4)
