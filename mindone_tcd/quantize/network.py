"""Replace the layers of a network, or of a pipeline's networks, by quantized ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np
from mindspore import mint, nn

from ..concurrency import one_at_a_time
from ..errors import UsageError
from ..lora_layers import layers_of, models_of
from .layers import QuantizedConv2d, QuantizedLayer, QuantizedLinear
from .weights import quantized

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline

KEPT = ("conv_in", "conv_out", "time_embedding", "add_embedding", "time_emb_proj")
"""Parts of the names of layers that stay floats."""


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


def is_quantized(network: nn.Cell) -> bool:
    """Return whether a network has quantized layers."""
    return any(isinstance(cell, QuantizedLayer) for _, cell in network.cells_and_names())


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


def _convert(network: nn.Cell, dtype: Any) -> None:
    """Fuse the LoRAs into a network, layer by layer, and quantize each layer."""
    parents = {id(child): (parent, key) for _, parent in network.cells_and_names() for key, child in _children(parent)}
    tuners = {id(layer.base_layer): layer for layer in layers_of(network)}
    for name, cell in list(layers_to_quantize(network)):
        tuner = tuners.pop(id(cell), None)
        _fuse(tuner, ms.float32)
        _set_dtype(cell, ms.float32)
        _replace(*parents[id(cell)], _layer(cell, name))
        cell.weight = None  # other references to the cell do not hold the memory
    for tuner in tuners.values():
        _fuse(tuner, dtype)
    if dtype is not None:
        layers = [cell for _, cell in network.cells_and_names() if isinstance(cell, QuantizedLayer)]
        own = {id(parameter) for layer in layers for parameter in layer.get_parameters()}
        for _, parameter in network.parameters_and_names():
            if parameter.is_floating_point() and parameter.dtype != dtype and id(parameter) not in own:
                parameter.set_dtype(dtype)


def _fuse(tuner: Any, dtype: Any) -> None:
    if tuner is None:
        return
    if dtype is not None:
        _set_dtype(tuner, dtype)
    tuner.merge()


def _set_dtype(cell: nn.Cell, dtype: Any) -> None:
    for _, parameter in cell.parameters_and_names():
        if parameter.dtype != dtype:
            parameter.set_dtype(dtype)


def _children(cell: nn.Cell) -> Iterator[tuple[str, nn.Cell]]:
    yield from ((key, child) for key, child in cell._cells.items() if child is not None)


def _replace(parent: nn.Cell, key: str, layer: nn.Cell) -> None:
    parent._cells[key] = layer
    if isinstance(parent, nn.SequentialCell):
        parent.cell_list = list(parent._cells.values())


def _layer(cell: nn.Cell, name: str) -> QuantizedLayer:
    integers, scales = quantized(cell.weight.asnumpy())
    bias = None if cell.bias is None else cell.bias.asnumpy().astype(np.float32)
    if isinstance(cell, mint.nn.Linear):
        return QuantizedLinear(integers, scales, bias, name)
    options = {"stride": cell.stride, "padding": cell.padding, "dilation": cell.dilation}
    return QuantizedConv2d(integers, scales, bias, name, **options)
