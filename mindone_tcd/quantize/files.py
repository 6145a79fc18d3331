"""Weights of quantized networks in safetensors files.

Each quantized layer has the integers under its weight's name (`….weight`, I8) and the scales beside it (`….scale`,
F32). All other parameters are stored as float16, or as float32 if float16 would change them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..concurrency import one_at_a_time
from ..errors import UsageError, shown
from ..files.narrowing import narrowed
from ..files.safetensors import read_header, read_tensors
from ..storage.atomic_files import whole_file
from .kinds import KINDS, is_quantized

if TYPE_CHECKING:
    from mindspore import nn

FORMAT = "quantize"
"""The key of the file's metadata that names the kind."""


@one_at_a_time
def save(network: nn.Cell, path: str | Path) -> None:
    """Write the weights of a quantized network to a safetensors file, about half as large as in float16.

    Args:
        network: a network from :func:`~mindone_tcd.quantize.network.quantize_network`, or of a pipeline that was
            loaded with ``quantize="int8"``.
        path: the file; an existing file is replaced.

    Raises:
        UsageError: if the network is not quantized, or the file cannot be written.
    """
    import safetensors.numpy

    if not is_quantized(network):
        raise UsageError("the network is not quantized; use save_pretrained, or the UNet of load(…, quantize='int8')")
    arrays = {name: _narrow(name, parameter.asnumpy()) for name, parameter in network.parameters_and_names()}
    data = safetensors.numpy.save(arrays, metadata={"format": "np", FORMAT: KINDS[0]})
    try:
        with whole_file(Path(path)) as stream:
            stream.write(data)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def _narrow(name: str, values: np.ndarray) -> np.ndarray:
    return values if name.endswith(".scale") else narrowed(values)


@one_at_a_time
def load(network: nn.Cell, path: str | Path) -> nn.Cell:
    """Replace the layers and the weights of a float network by those of a file that :func:`save` wrote.

    Args:
        network: a network of the same configuration, without LoRAs. Its own weights are discarded.
        path: the file.

    Returns:
        The network itself.

    Raises:
        UsageError: if the file is damaged, or does not fit the network; the network is then unchanged.
    """
    import mindspore as ms

    from .network import replace_layers

    if is_quantized(network):
        raise UsageError("the network is quantized already; pass a network of floats")
    header = read_header(Path(path))
    kind = header.metadata.get(FORMAT)
    if kind not in KINDS:
        raise UsageError(f"{path} holds no quantized network (quantize is {shown(kind)}); expected a file from save")
    own = dict(network.parameters_and_names())
    quantized = {name.removesuffix(".weight") for name, entry in header.tensors.items() if entry.dtype == "I8"}
    wanted = {name: tuple(parameter.shape) for name, parameter in own.items()}
    wanted.update({f"{layer}.scale": wanted.get(f"{layer}.weight", ())[:1] for layer in quantized})
    found = {name: tuple(entry.shape) for name, entry in header.tensors.items()}
    if wanted != found:
        name = min(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise UsageError(
            f"{path} does not fit the network at {shown(name)}: the file has {shown(found.get(name))}, the network "
            f"needs {shown(wanted.get(name))}; pass the file of the same network"
        )
    arrays = dict(read_tensors(header))
    layers = {name: (arrays.pop(f"{name}.weight"), arrays.pop(f"{name}.scale")) for name in quantized}
    replace_layers(network, layers)
    for name, parameter in network.parameters_and_names():
        if name in arrays:
            parameter.set_data(ms.Tensor(arrays[name].astype(np.float32), parameter.dtype))
    return network
