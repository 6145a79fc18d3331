"""The files of an exported folder: each must be the one that was exported."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops
from safetensors.numpy import save_file

from mindone_tcd.deploy import parts
from mindone_tcd.deploy.manifest import GraphFile, Value
from mindone_tcd.deploy.mindir import read_graph
from mindone_tcd.deploy.runner import Runner, check_files
from mindone_tcd.deploy.writing import export_graph
from mindone_tcd.errors import UsageError
from mindone_tcd.files.digests import file_sha256


class Net(nn.Cell):
    def __init__(self):
        super().__init__()
        self.weight = ms.Parameter(np.arange(6, dtype=np.float32).reshape(2, 3), name="weight")

    def construct(self, x):
        return ops.matmul(x, self.weight), x * 2


class Files:
    """Stands for a manifest with these files."""

    def __init__(self, files):
        self.files = files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a graph without weights, and its weights."""
    folder = tmp_path_factory.mktemp("exported")
    call = parts.Call("net", Net(), ("return self.part(x)",), {"x": ((1, 2), "float32")}, "weights.safetensors")
    written = export_graph(call, folder / "net.mindir", False)
    assert written.parameters == ("weight",)
    assert [value.shape for value in written.values] == [(1, 3), (1, 2)]
    assert sorted(path.name for path in folder.iterdir()) == ["net.mindir"]
    assert [each.name for each in read_graph(folder / "net.mindir").graph.input] == ["x"]
    save_file({"weight": call.network.weight.asnumpy() * 10, "other": np.ones(1, np.float32)}, folder / call.weights)
    return folder


GRAPH = GraphFile(
    "net", None, "net.mindir", "weights.safetensors", (Value("x", (1, 2), "float32"),), (Value("y", (1, 3), "float32"),)
)


def test_a_graph_runs_with_the_weights_of_its_file(folder):
    runner = Runner(folder)
    product, double = runner(GRAPH, {"x": np.ones((1, 2))})
    assert product.asnumpy().tolist() == [[30, 50, 70]]
    assert double.asnumpy().tolist() == [[2, 2]]
    assert runner(GRAPH, {"x": np.zeros((1, 2))})[0].asnumpy().tolist() == [[0, 0, 0]]


def test_missing_weights_are_named(folder, tmp_path):
    (tmp_path / "net.mindir").write_bytes((folder / "net.mindir").read_bytes())
    save_file({"other": np.ones(1, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(UsageError, match="weight is missing, but its graph needs"):
        Runner(tmp_path)(GRAPH, {"x": np.ones((1, 2))})


def test_check_files(folder):
    digests = {path.name: file_sha256(path) for path in folder.iterdir()}
    check_files(Files(digests), folder)
    with pytest.raises(UsageError, match="another SHA-256"):
        check_files(Files({**digests, "net.mindir": "ab" * 32}), folder)
    with pytest.raises(UsageError, match=r"lacks a\.mindir"):
        check_files(Files({**digests, "a.mindir": "ab" * 32}), folder)


def test_a_graph_with_its_weights(tmp_path):
    call = parts.Call("net", Net(), ("return self.part(x)[0]",), {"x": ((1, 2), "float32")}, "weights.safetensors")
    export_graph(call, tmp_path / "net.mindir", True)
    graph = GraphFile("net", None, "net.mindir", None, GRAPH.inputs, GRAPH.outputs)
    (product,) = Runner(tmp_path)(graph, {"x": np.ones((1, 2))})
    assert product.asnumpy().tolist() == [[3, 5, 7]]
