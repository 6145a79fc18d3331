"""After changes of LoRA weights, fusing and IP-Adapter scales, the existing graph gives the eager values."""

import warnings

import mindspore as ms
import numpy as np
import pytest
from mindspore import mint, nn

from mindone_tcd import cpu
from mindone_tcd.compiled.graph import Part
from mindone_tcd.compiled.numbers import numbers_of
from mindone_tcd.compiled.snapshot import Snapshot

TOLERANCE = 1e-5  # sums of up to 72 products of about 1


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


class Network(nn.Cell):
    """A convolution and a linear layer with two LoRAs each, and attention with an image prompt."""

    def __init__(self):
        from mindone.diffusers.models.attention_processor import Attention, IPAdapterAttnProcessor
        from mindone.peft.tuners.lora import layer as layers

        super().__init__()
        self.convolution = layers.Conv2d(mint.nn.Conv2d(4, 8, 3, padding=1), "one", r=2, lora_alpha=2)
        self.linear = layers.Linear(mint.nn.Linear(8, 8), "one", r=2, lora_alpha=1)
        for layer in self.layers():
            layer.update_layer("two", 3, 3, 0.0, True, False, False, False)
            layer.set_adapter(["one"])
        self.attention = Attention(query_dim=8, cross_attention_dim=6, heads=2, dim_head=4)
        self.attention.set_processor(IPAdapterAttnProcessor(8, 6, num_tokens=(4, 4), scale=[0.6, 0.3]))
        for name, parameter in self.parameters_and_names():
            parameter.name = name
            parameter.set_data(ms.Tensor(normal(*parameter.shape) / 2))
        self.set_train(False)

    def construct(self, x, text, image):
        x = self.convolution(x)
        x = self.linear(x.reshape(x.shape[0], 8, -1).swapaxes(1, 2))
        return (self.attention(x, encoder_hidden_states=(text, [image, image + 1])),)

    def layers(self):
        return [self.convolution, self.linear]

    def weights(self, **weights):
        """Change the weight in the same way as `set_adapters`."""
        for layer in self.layers():
            layer.set_adapter(list(weights))
            for name, weight in weights.items():
                layer.set_scale(name, weight)

    def fuse(self):
        for layer in self.layers():
            layer.merge()

    def unfuse(self):
        for layer in self.layers():
            layer.unmerge()

    def scales(self, *scales):
        """Change the scale in the same way as `set_ip_adapter_scale`."""
        for k, scale in enumerate(scales):
            self.attention.processor.scale[k] = scale


@pytest.fixture(scope="module", autouse=True)
def kernels():
    cpu.enable()


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def part(network):
    made = Part(network, "O0")
    made.install()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*runs without a graph.*")
        yield made
    made.remove()


@pytest.fixture
def given():
    return [ms.Tensor(normal(*shape)) for shape in ((2, 4, 3, 3), (2, 5, 6), (2, 4, 6))]


@pytest.fixture
def value(network, part, given):
    """The compiled output, after a comparison with the eager one."""

    def run():
        found = network(*given)[0].asnumpy()
        np.testing.assert_allclose(found, part.eager(*given)[0].asnumpy(), rtol=0, atol=TOLERANCE)
        return found

    return run


def test_a_lora_weight_compiles_nothing(network, part, value):
    found = [value()]
    for weight in (0.5, -2.0, 0.0, 1, 0.25):
        network.weights(one=weight)
        found.append(value())
        assert np.abs(found[-1] - found[-2]).max() > 1e-2
    assert part.compiled == 1


@pytest.mark.slow
def test_alternating_adapters_compile_once_each(network, part, value):
    for weight in (0.5, 0.75):
        for weights in ({"one": weight}, {"two": weight}, {"one": weight, "two": -weight}):
            network.weights(**weights)
            value()
    assert part.compiled == 3


def test_fusing_compiles_once_for_all_weights(network, part, value):
    plain = value()
    for weight in (0.5, 0.75, 0.5):
        network.weights(one=weight)
        unfused = value()
        network.fuse()
        np.testing.assert_allclose(value(), unfused, rtol=0, atol=TOLERANCE)
        network.unfuse()
        np.testing.assert_allclose(value(), unfused, rtol=0, atol=TOLERANCE)
    assert np.abs(plain - unfused).max() > 1e-2
    assert part.compiled == 2


def test_an_ip_adapters_scale_compiles_nothing(network, part, value):
    found = [value()]
    for scales in ((1.0, 0.3), (0.2, 0.9), (0.0, 0.0), (0.6, 0)):
        network.scales(*scales)
        found.append(value())
        assert np.abs(found[-1] - found[-2]).max() > 1e-2
    assert part.compiled == 1


def test_a_scale_of_0_omits_the_image_prompt_until_the_scale_changes(network, part, value):
    network.scales(0.0, 0.3)
    value()
    (numbers,) = [numbers for numbers in Snapshot(network).numbers if numbers.attribute == "scale"]
    assert list(numbers.parameters) == [1]
    for scale in (0.5, 0.0, 0.7):
        network.scales(scale, 0.3)
        value()
    assert part.compiled == 2


def test_the_model_keeps_its_plain_numbers(network, value):
    network.weights(one=0.5)
    value()
    assert {type(number) for layer in network.layers() for number in layer.scaling.values()} == {float}
    assert network.attention.processor.scale == [0.6, 0.3]


@pytest.mark.slow
def test_other_values_than_numbers_are_detected(network, part, value):
    value()
    network.linear.scaling["one"] = ms.Tensor(0.25)
    assert numbers_of(network.linear, "name") is None
    value()
    assert part.compiled == 2


def test_a_replaced_weight_is_detected_and_its_graphs_are_dropped(network, part, value):
    value()
    network.fuse()
    value()
    weight = network.linear.base_layer.weight
    own = weight.asnumpy()  # shares the memory, which the test must not write to
    kept = own.copy()
    weight.set_data(ms.Tensor(own + 1))
    value()
    np.testing.assert_array_equal(own, kept)
    assert part.compiled == 3
    assert len(part._graphs) == 1


@pytest.mark.slow
def test_the_number_of_states_is_limited(network, part, value, monkeypatch):
    monkeypatch.setattr(Part, "MOST_STATES", 2)
    for k in range(Part.MOST_STATES + 2):
        network.extra = k
        value()
    assert len(part._graphs) == part.MOST_STATES


def test_a_graph_of_another_weight_is_found_on_disk(network, part, value, given, tmp_path, monkeypatch):
    monkeypatch.setenv("MINDONE_TCD_CACHE", str(tmp_path))
    value()
    (file,) = tmp_path.glob("*.mindir")
    other = Network()
    other.weights(one=0.3)
    other.scales(0.1, 0.2)
    second = Part(other, "O0")
    second.install()
    try:
        for weight in (0.3, 0.8):
            other.weights(one=weight)
            found = other(*given)[0].asnumpy()
            np.testing.assert_allclose(found, second.eager(*given)[0].asnumpy(), rtol=0, atol=TOLERANCE)
    finally:
        second.remove()
    assert list(tmp_path.glob("*.mindir")) == [file], "another graph was compiled"
    assert second.compiled == 1
