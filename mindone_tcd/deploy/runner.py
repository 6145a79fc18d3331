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
from .mindir import parameter_names, read_graph

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
        manifest: the manifest.
        folder: its folder.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self._manifest, self._folder = manifest, folder
        self._cells: dict[str, Any] = {}
        self._weights: dict[str, dict[str, ms.Parameter]] = {}

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
                given = ms.Tensor(np.ascontiguousarray(given, value.dtype))
            tensors.append(given)
        results = self._cells[graph.file](*tensors)
        return list(results) if isinstance(results, tuple) else [results]

    def _cell(self, graph: GraphFile) -> Any:
        import mindspore as ms
        from mindspore import nn

        path = self._folder / graph.file
        names = parameter_names(read_graph(path))
        given = {}
        if graph.weights is not None:
            weights = self._parameters(graph.weights)
            missing = sorted(names.keys() - weights.keys())
            if missing:
                raise UsageError(f"{self._folder / graph.weights} lacks {missing[0]}, which {path} needs; {_AGAIN}")
            given = {name: weights[name] for name in names}
        return nn.GraphCell(ms.load(str(path)), params_init=given)

    def _parameters(self, file: str) -> dict[str, ms.Parameter]:
        import mindspore as ms

        if file not in self._weights:
            self._weights[file] = {
                name: ms.Parameter(ms.Tensor.from_numpy(values), name=name, requires_grad=False)
                for name, values in read_tensors(read_header(self._folder / file))
            }
        return self._weights[file]
