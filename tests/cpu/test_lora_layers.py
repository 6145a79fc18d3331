"""LoRA layers with CPU kernels equal those of mindone, value by value, in both modes."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from mindone_tcd import cpu
from mindone_tcd.cpu import lora

from .test_kernels import assert_close

MODES = pytest.mark.parametrize("compiled", [False, True], ids=["pynative", "graph"])
KERNELS = pytest.mark.parametrize("native", [True, False], ids=["native", "stock"])


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def layer_of(kind, bias, scalings, active):
    """A layer of mindone with a LoRA for each scaling, and random weights."""
    from mindone.peft.tuners.lora import layer as layers

    cls, base = {
        "linear": (layers.Linear, lambda: mint.nn.Linear(6, 5, bias=bias)),
        "convolution": (layers.Conv2d, lambda: mint.nn.Conv2d(6, 5, 3, stride=2, padding=1, bias=bias)),
    }[kind]
    layer = cls(base(), "lora0", r=2, lora_alpha=2)
    for k in range(1, len(scalings)):
        layer.update_layer(f"lora{k}", 3, 3, 0.0, True, False, False, False)
    for k, scaling in enumerate(scalings):
        layer.scaling[f"lora{k}"] = scaling
    for k, (name, parameter) in enumerate(layer.parameters_and_names()):
        parameter.name = name  # the same name as in a model
        parameter.set_data(Tensor(normal(*parameter.shape) + k / 10))
    layer.set_adapter([f"lora{k}" for k in active])
    return layer.set_train(False)


def given(kind, rank=3):
    return Tensor(normal(2, 6, 8, 7) if kind == "convolution" else normal(*(2, 3, 6)[3 - rank :]))


def longhand(layer, x):
    """base(x) + scaling · B(A(x)), summed over the active adapters."""
    result = layer.base_layer(x)
    for name in layer.active_adapters:
        if name in layer.lora_A.keys():  # noqa: SIM118
            result = result + layer.lora_B[name](layer.lora_A[name](x)) * layer.scaling[name]
    return result.asnumpy()


@MODES
@KERNELS
@pytest.mark.parametrize("kind", ["linear", "convolution"])
@pytest.mark.parametrize(
    ("bias", "scalings", "active"),
    [(True, [1.0], [0]), (True, [0.5], [0]), (False, [0.5], [0]), (True, [1.0, 0.3], [0, 1]), (True, [1.0, 0.3], [])],
)
def test_sums_of_products(kind, bias, scalings, active, compiled, native):
    before = cpu.native_kernels()
    cpu.use_native_kernels(native)
    try:
        layer, x = layer_of(kind, bias, scalings, active), given(kind)

        def run(x):
            return layer(x)

        found = (ms.jit(run) if compiled else run)(x).asnumpy()
        assert_close(found, longhand(layer, x), 1e-5)
    finally:
        cpu.use_native_kernels(before)


def test_rows_without_a_batch_dimension():
    layer, x = layer_of("linear", True, [0.5], [0]), given("linear", rank=2)
    assert_close(layer(x).asnumpy(), longhand(layer, x), 1e-5)


def test_gradients():
    layer, x = layer_of("linear", True, [0.5], [0]), given("linear")
    weights = normal(2, 3, 5)

    def total(x):
        return (layer(x) * Tensor(weights)).sum()

    base, down, up = (
        cell.weight.asnumpy() for cell in (layer.base_layer, layer.lora_A["lora0"], layer.lora_B["lora0"])
    )
    assert_close(ms.grad(total)(x).asnumpy(), weights @ (base + 0.5 * up @ down), 1e-5)


UNUSUAL = {
    "disabled": lambda layer: layer.enable_adapters(False),
    "training, with dropout": lambda layer: layer.set_train(True),
    "float16 weights": lambda layer: [p.set_dtype(ms.float16) for p in layer.lora_A.get_parameters()],
    "circular padding": lambda layer: setattr(layer.base_layer, "padding_mode", "circular"),
    "fused": lambda layer: layer.merge(),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_layers_run_the_code_of_mindone(name):
    layer, x = layer_of("convolution", True, [0.5], [0]), given("convolution")
    asked = []

    def original(self, x):
        asked.append(self)
        return x

    assert lora.in_convolution(original)(layer, x) is not x
    UNUSUAL[name](layer)
    assert lora.in_convolution(original)(layer, x) is x
    assert asked == [layer]
