"""A kernel refuses arguments that it does not support, and names them. It ignores none silently."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint

from .test_kernels import function_of

X = Tensor(np.ones((2, 4, 6, 5), np.float32))
M = Tensor(np.ones((3, 4), np.float32))
V = Tensor(np.ones(4, np.float32))
IDS = Tensor(np.array([0, 1]))
W = Tensor(np.ones((3, 4, 3, 3), np.float32))

REFUSED = [
    ("mint.arange", (0, 5, 0), {}, ValueError, "step"),
    ("mint.arange", (5, 0), {}, ValueError, "leads away"),
    ("mint.linspace", (0, 1, -1), {}, ValueError, "steps"),
    ("mint.empty", (2,), {"device": "Ascend"}, ValueError, "device='Ascend'"),
    ("mint.randint", (3, 3, (2,)), {}, ValueError, "low=3"),
    ("mint.normal", (0.0, -1.0, (2,)), {}, ValueError, "std"),
    ("mint.normal", (0.0, 1.0), {}, ValueError, "size"),
    ("mint.split", (M, 0), {}, ValueError, "split_size"),
    ("mint.split", (M, (1, 1)), {}, ValueError, "add up to 3"),
    ("mint.chunk", (M, 0), {}, ValueError, "chunks"),
    ("mint.chunk", (M, 2, 2), {}, ValueError, "dim"),
    ("mint.repeat_interleave", (M, 2, 0), {"output_size": 5}, ValueError, "output_size is 5"),
    ("mint.roll", (M, (1, 2), 0), {}, ValueError, "shifts"),
    ("mint.diag", (X,), {}, ValueError, "4"),
    ("mint.index_select", (M, 0, M), {}, ValueError, "index"),
    ("mint.outer", (M, V), {}, ValueError, "vectors"),
    ("mint.nn.functional.linear", (M, Tensor(np.ones((5, 3), np.float32))), {}, ValueError, "weight"),
    ("mint.nn.functional.conv2d", (X, W), {"groups": 2}, ValueError, "groups=2"),
    ("mint.nn.functional.conv2d", (X, W), {"padding": "full"}, ValueError, "padding"),
    ("mint.nn.functional.conv2d", (X, W), {"padding": "same", "stride": 2}, ValueError, "same"),
    ("mint.nn.functional.conv2d", (X, W), {"stride": (1, 1, 1)}, ValueError, "stride"),
    (
        "mint.nn.functional.conv_transpose2d",
        (X, Tensor(np.ones((4, 2, 2, 2), np.float32))),
        {"output_padding": 1},
        ValueError,
        "output_padding",
    ),
    ("mint.nn.functional.layer_norm", (M, (3,)), {}, ValueError, "last dimensions"),
    ("mint.nn.functional.group_norm", (X, 3), {}, ValueError, "num_groups=3"),
    ("mint.nn.functional.silu", (M,), {"inplace": True}, NotImplementedError, "inplace"),
    ("mint.round", (IDS,), {"decimals": 1}, ValueError, "floating point"),
    ("mint.nn.functional.gelu", (M,), {"approximate": "quick"}, ValueError, "approximate"),
    ("mint.nn.functional.dropout", (M,), {"inplace": True}, NotImplementedError, "inplace"),
    ("mint.nn.functional.dropout", (M, 1.5), {}, ValueError, "p must"),
    ("mint.nn.functional.relu6", (M,), {"inplace": True}, NotImplementedError, "inplace"),
    ("mint.nn.functional.embedding", (IDS, M), {"max_norm": 1.0}, NotImplementedError, "max_norm"),
    ("mint.nn.functional.embedding", (IDS, M), {"scale_grad_by_freq": True}, NotImplementedError, "scale_grad_by_freq"),
    ("mint.nn.functional.embedding", (IDS, M), {"padding_idx": 3}, ValueError, "padding_idx"),
    ("mint.nn.functional.mse_loss", (M, M), {"reduction": "median"}, ValueError, "reduction"),
    ("mint.nn.functional.l1_loss", (M, M), {"reduction": "median"}, ValueError, "reduction"),
    ("mint.nn.functional.pad", (M, (1, 1, 1)), {}, ValueError, "pad"),
    ("mint.nn.functional.pad", (M, (1, 1)), {"mode": "mirror"}, ValueError, "mode"),
    ("mint.nn.functional.pad", (M, (4, 0)), {"mode": "reflect"}, ValueError, "at most 3"),
    ("mint.nn.functional.pad", (M, (1, 1)), {"mode": "reflect", "value": 2.0}, ValueError, "value"),
    ("mint.nn.functional.interpolate", (X,), {}, ValueError, "scale_factor"),
    ("mint.nn.functional.interpolate", (X,), {"size": 3, "mode": "area"}, NotImplementedError, "area"),
    ("mint.nn.functional.interpolate", (X,), {"scale_factor": 1.3}, NotImplementedError, "1.3"),
    ("mint.nn.functional.interpolate", (X,), {"size": 3, "align_corners": True}, ValueError, "align_corners"),
    ("mint.nn.functional.interpolate", (M,), {"size": 3}, NotImplementedError, "2 dimensions"),
    ("mint.norm", (M,), {"p": "nuc"}, NotImplementedError, "nuc"),
    ("mint.std", (M,), {"dim": 2}, ValueError, "dim"),
    ("mint.sort", (M,), {"stable": True}, NotImplementedError, "stable"),
    ("mint.topk", (M, 5), {}, ValueError, "k must"),
]


@pytest.mark.parametrize(("name", "given", "options", "error", "says"), REFUSED)
def test_refused_by_name(name, given, options, error, says):
    with pytest.raises(error, match=says):
        function_of(name)(*given, **options)


def test_a_graph_refuses_them_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a failed compilation leaves files behind

    def bad(x):
        return mint.nn.functional.interpolate(x, size=(3, 3), mode="area")

    with pytest.raises(NotImplementedError, match="area"):
        ms.jit(bad)(X)
