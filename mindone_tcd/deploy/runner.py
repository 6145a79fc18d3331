"""Run exported graphs: MindSpore compiles a MindIR file at its first call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..files.digests import file_sha256
from ..files.safetensors import read_header, read_tensors
from .manifest import GraphFile, Manifest
from .mindir import read_graph

if TYPE_CHECKING:
    import mindspore as ms

_AGAIN = "copy the whole folder again, or export the pipeline again"


def check_files(manifest: Manifest, folder: Path) -> None:
    """Check that each file of an exported folder is there and has the SHA-256 of the manifest.

    Raises:
        UsageError: if not; the message names the file.
    """
    for name, digest in manifest.files.items():
        path = folder / name
        if not os.path.isfile(path):
            raise UsageError(f"{folder} lacks {name}, which its manifest names; {_AGAIN}")
        if file_sha256(path) != digest:
            raise UsageError(f"{path} is not the file that was exported (another SHA-256); {_AGAIN}")


class Runner:
    """The graphs of an exported folder. A graph is read at its first call, and weights are shared.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cells: dict[str, Any] = {}
        self._weights: dict[str, dict[str, ms.Tensor]] = {}

    def __call__(self, graph: GraphFile, values: Mapping[str, Any]) -> list[Any]:
        """Run a graph for one batch.

        Args:
            graph: the graph.
            values: an array or tensor for each of its inputs, with the shapes and dtypes of the manifest.

        Returns:
            The outputs, tensors.
        """
        import mindspore as ms

        if graph.file not in self._cells:
            self._cells[graph.file] = self._cell(graph)
        tensors = []
        for value in graph.inputs:
            given = values[value.name]
            if not isinstance(given, ms.Tensor):
                given = ms.Tensor(np.asarray(given, value.dtype, order="C"))
            tensors.append(given)
        results = self._cells[graph.file](*tensors)
        return list(results) if isinstance(results, tuple) else [results]

    def _cell(self, graph: GraphFile) -> Any:
        import mindspore as ms
        from mindspore import nn

        path = self._folder / graph.file
        read_graph(path)
        cell = nn.GraphCell(ms.load(str(path)))
        if graph.weights is not None:
            self._set_weights(cell, graph.weights)
        return cell

    def _set_weights(self, cell: Any, file: str) -> None:
        """Give the parameters of a graph their values. Graphs of the same network share the memory.

        MindSpore would copy parameters that `GraphCell` gets, once for each graph.
        """
        import mindspore as ms

        held = self._weights.setdefault(file, {})
        header = read_header(self._folder / file)
        wanted = dict(cell._params)
        for name, parameter in wanted.items():
            entry = header.tensors.get(name)
            if entry is None or entry.shape != tuple(parameter.shape):
                found = "is missing" if entry is None else f"has the shape {list(entry.shape)}"
                raise UsageError(
                    f"{header.path}: {name} {found}, but its graph needs {list(parameter.shape)}; {_AGAIN}"
                )
        for name, values in read_tensors(header, wanted.keys() - held.keys()):
            dtype = str(wanted[name].dtype).lower()
            held[name] = ms.Tensor.from_numpy(np.asarray(values, dtype))
        for name, parameter in wanted.items():
            parameter.set_data(held[name])
