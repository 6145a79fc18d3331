"""MindIR files from elsewhere: only graphs that compute are accepted."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from mindone_tcd.deploy.mindir import ALLOWED, read_graph
from mindone_tcd.errors import UsageError


class Net(nn.Cell):
    def __init__(self):
        super().__init__()
        self.weight = ms.Parameter(np.ones((2, 3), np.float32), name="weight")

    def construct(self, x):
        return ops.matmul(x, self.weight) + 1


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("mindir") / "net.mindir"
    ms.export(Net(), ms.Tensor(np.ones((1, 2), np.float32)), file_name=str(path), file_format="MINDIR")
    return path


@pytest.fixture
def changed(file, tmp_path):
    """A function that writes a copy of the file after a change of its message."""

    def write(change):
        proto = read_graph(file)
        change(proto)
        path = tmp_path / "changed.mindir"
        path.write_bytes(proto.SerializeToString())
        return path

    return write


def test_a_graph_that_computes_is_read(file):
    assert [each.name.partition(":")[2] for each in read_graph(file).graph.parameter] == ["weight"]


@pytest.mark.parametrize("name", ["Custom", "PyFunc", "PyExecute", "PyInterpret", "TensorDump", "Print", "AllReduce"])
def test_operations_that_do_more_than_compute_are_refused(changed, name):
    assert name not in ALLOWED

    def change(proto):
        proto.primitives[0].op_type = name

    with pytest.raises(UsageError, match=f"contains the operation '{name}'"):
        read_graph(changed(change))


def test_a_node_of_an_unknown_operation_is_refused(changed):
    def change(proto):
        proto.graph.node[0].op_type = "CustomLibrary"

    with pytest.raises(UsageError, match="contains the operation 'CustomLibrary'"):
        read_graph(changed(change))


def test_a_custom_operation_of_the_package_itself_is_refused(tmp_path):
    """Such a file would name the kernel library of the machine on which it was made."""
    from mindone_tcd.cpu import native

    if native.library() is None:
        pytest.skip("the native kernels are not built")

    class Native(nn.Cell):
        def construct(self, x):
            return native.silu(x)

    native.prepare()
    path = tmp_path / "native.mindir"
    ms.export(Native(), ms.Tensor(np.ones((2, 16), np.float32)), file_name=str(path), file_format="MINDIR")
    with pytest.raises(UsageError, match="contains the operation 'Custom'"):
        read_graph(path)


def test_weights_in_another_file_are_refused(changed):
    def change(proto):
        proto.graph.parameter[0].external_data.location = "/etc/passwd"

    with pytest.raises(UsageError, match="reads weights from another file"):
        read_graph(changed(change))


def test_a_preprocessor_is_refused(changed):
    def change(proto):
        proto.preprocessor.op.add().op_type = "Map"

    with pytest.raises(UsageError, match="preprocessor"):
        read_graph(changed(change))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\x00" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "file.mindir"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"file\.mindir"):
        read_graph(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_graph(tmp_path / "missing.mindir")
