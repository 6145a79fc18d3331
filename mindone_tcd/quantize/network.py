"""Replace the layers of a network, or of a pipeline's networks, by quantized ones."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np
from mindspore import mint, nn

from ..concurrency import one_at_a_time
from ..cpu.runtime import return_memory
from ..errors import UsageError
from ..lora_layers import layers_of, models_of
from .kinds import is_quantized
from .layers import QuantizedConv2d, QuantizedLayer, QuantizedLinear
from .weights import quantized

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline

KEPT = ("conv_in", "conv_out", "conv_shortcut", "encoder_hid_proj")
"""Parts of the names of layers that stay floats. With few weights, the first three change the images most, measured by
`benchmarks/int8_layers.py`; mindone reads the dtype of the weights of the last, which is part of an IP-Adapter."""


def is_kept(name: str) -> bool:
    """Return whether the layer of this name stays a float layer."""
    return any(part in KEPT for part in name.split("."))


def networks_of(pipe: DiffusionPipeline) -> dict[str, nn.Cell]:
    """Return the networks of a pipeline that are quantized, by component: the UNet and the ControlNets."""
    found: dict[str, nn.Cell] = {}
    for component in ("unet", "controlnet"):
        network = getattr(pipe, component, None)
        several = getattr(network, "nets", None)
        if several is not None:
            found.update({f"{component}.{k}": one for k, one in enumerate(several)})
        elif network is not None:
            found[component] = network
    return found


@one_at_a_time
def quantize_pipeline(pipe: DiffusionPipeline, dtype: Any = None) -> DiffusionPipeline:
    """Quantize the UNet and the ControlNets of a pipeline to int8 weights.

    The active LoRAs become part of the weights first, and are then unloaded. Layers are converted one after the other,
    so that at no time a second copy of the weights exists.

    Args:
        pipe: a pipeline of mindone.diffusers that is not compiled yet.
        dtype: the dtype of the parameters that stay floats; None for the dtype that they have.

    Returns:
        The pipeline itself.

    Raises:
        UsageError: if a network is quantized already.
    """
    networks = networks_of(pipe)
    for name, network in networks.items():
        if is_quantized(network):
            raise UsageError(f"the {name} is quantized already; load the pipeline again to change it")
    with_loras = models_of(pipe) if hasattr(pipe, "_lora_loadable_modules") else {}
    for model in with_loras.values():
        if not any(model is network for network in networks.values()):
            for layer in layers_of(model):
                layer.merge()
    for network in networks.values():
        _convert(network, dtype)
    if any(layers_of(model) for model in with_loras.values()):
        pipe.unload_lora_weights()
    return pipe


@one_at_a_time
def quantize_network(network: nn.Cell, dtype: Any = None) -> nn.Cell:
    """Quantize a network without LoRAs to int8 weights; return the network. Arguments: see `quantize_pipeline`."""
    _convert(network, dtype)
    return network


def layers_to_quantize(network: nn.Cell) -> Iterator[tuple[str, nn.Cell]]:
    """Yield the layers of a network that are quantized, with their names."""
    for path, cell in network.cells_and_names():
        name = ".".join(part for part in path.split(".") if part != "base_layer")
        if ".lora_" not in path and _is_common(cell) and not is_kept(name):
            yield name, cell


def _is_common(cell: nn.Cell) -> bool:
    if type(cell) is mint.nn.Linear:
        return True
    if type(cell) is not mint.nn.Conv2d:
        return False
    return cell.groups == 1 and cell.padding_mode == "zeros" and not isinstance(cell.padding, str)


def replace_layers(network: nn.Cell, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Replace layers of a network without LoRAs by quantized ones.

    Args:
        network: the network.
        weights: the integers and the scales of each layer, by its name.

    Raises:
        UsageError: if a name is not that of a layer that can be quantized; the network is then unchanged.
    """
    places = _places(network)
    layers = {name: cell for name, cell in network.cells_and_names() if _is_common(cell)}
    for name in weights:
        if name not in layers:
            raise UsageError(f"{name!r} is not a linear or convolution layer of the {type(network).__name__}")
    for name, (integers, scales) in weights.items():
        _replace(*places[id(layers[name])], _layer(layers[name], name, integers, scales))


def _convert(network: nn.Cell, dtype: Any) -> None:
    """Fuse the LoRAs into a network, layer by layer, and quantize each layer."""
    places = _places(network)
    tuners = {id(layer.base_layer): layer for layer in layers_of(network)}
    waiting = 0
    for name, cell in list(layers_to_quantize(network)):
        tuner = tuners.pop(id(cell), None)
        if tuner is not None:
            _fuse(tuner, ms.float32)
        _replace(*places[id(cell)], _layer(cell, name, *quantized(cell.weight.asnumpy())))
        # The old layer and its weight stay until the garbage collector finds them; most of their memory must not.
        waiting += cell.weight.size * cell.weight.itemsize
        cell.weight.set_data(ms.Tensor(np.zeros(1, np.float32), cell.weight.dtype), slice_shape=True)
        if waiting > _MOST_WAITING:
            gc.collect()
            return_memory()
            waiting = 0
    return_memory()
    for tuner in tuners.values():
        _fuse(tuner, dtype)
    if dtype is not None:
        layers = [cell for _, cell in network.cells_and_names() if isinstance(cell, QuantizedLayer)]
        own = {id(parameter) for layer in layers for parameter in layer.get_parameters()}
        for _, parameter in network.parameters_and_names():
            if parameter.is_floating_point() and parameter.dtype != dtype and id(parameter) not in own:
                parameter.set_dtype(dtype)


_MOST_WAITING = 1 << 27
"""So many bytes of old weights may wait for the garbage collector."""


def _fuse(tuner: Any, dtype: Any) -> None:
    if dtype is not None:
        _set_dtype(tuner, dtype)
    tuner.merge()


def _set_dtype(cell: nn.Cell, dtype: Any) -> None:
    for _, parameter in cell.parameters_and_names():
        if parameter.dtype != dtype:
            parameter.set_dtype(dtype)


def _places(network: nn.Cell) -> dict[int, tuple[nn.Cell, str]]:
    """Return the parent of each cell, and its key there, by the cell's id."""
    return {
        id(child): (parent, key)
        for _, parent in network.cells_and_names()
        for key, child in parent._cells.items()
        if child is not None
    }


def _replace(parent: nn.Cell, key: str, layer: nn.Cell) -> None:
    parent._cells[key] = layer
    if isinstance(parent, nn.SequentialCell):
        parent.cell_list = list(parent._cells.values())


def _layer(cell: nn.Cell, name: str, integers: np.ndarray, scales: np.ndarray) -> QuantizedLayer:
    bias = None if cell.bias is None else cell.bias.asnumpy().astype(np.float32)
    if isinstance(cell, mint.nn.Linear):
        return QuantizedLinear(integers, scales, bias, name)
    options = {"stride": cell.stride, "padding": cell.padding, "dilation": cell.dilation}
    return QuantizedConv2d(integers, scales, bias, name, **options)
