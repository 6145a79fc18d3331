"""A component of a pipeline runs as a graph, never as a stale one, and eagerly if it cannot be compiled."""

import warnings

import mindspore as ms
import numpy as np
import pytest
from cells import Layer, Network, tensor

from mindone_tcd.compiled.graph import Graph, NotForGraphs, Part, source_text


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def part(network):
    made = Part(network, "O0")
    made.install()
    return made


X = [[1.0, 2.0], [3.0, 4.0]]


def test_it_equals_the_eager_call(network, part):
    conditions = {"text": tensor([1, 0], [0, 1])}
    calls = [
        ((tensor(*X),), {}),
        ((tensor(*X), tensor(0.5)), {"conditions": conditions}),
        ((tensor(*X),), {"residuals": (tensor(1, 2), tensor(3, 4))}),
        ((tensor(*X),), {"residuals": [tensor(1, 2), tensor(3, 4)]}),
        ((tensor(*X), 0.25), {}),
    ]
    for args, kwargs in calls:
        np.testing.assert_array_equal(network(*args, **kwargs)[0].asnumpy(), part.eager(*args, **kwargs)[0].asnumpy())
    assert part.compiled == len(calls)


def test_a_second_call_of_the_same_shape_compiles_nothing(network, part):
    first = network(tensor(*X))[0].asnumpy()
    second = network(tensor([2, 4], [6, 8]))[0].asnumpy()
    assert part.compiled == 1
    np.testing.assert_array_equal(second - 1, 2 * (first - 1))
    network(tensor([1, 2]))
    assert part.compiled == 2


CHANGES = {
    "set_data": lambda network: network.first.weight.set_data(tensor([5, 5], [5, 5])),
    "scaling": lambda network: network.first.scaling.update(style=0.25),
    "switched off": lambda network: setattr(network.first, "active", []),
    "another layer": lambda network: setattr(network, "second", Layer(7.0)),
    "processor": lambda network: network.processor.scale.__setitem__(0, 10.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_stale_graph_is_used(network, part, change):
    before = network(tensor(*X))[0].asnumpy()
    CHANGES[change](network)
    after = network(tensor(*X))[0].asnumpy()
    assert part.compiled == 2
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, part.eager(tensor(*X))[0].asnumpy())


def test_assigned_weights_are_used_without_compiling(network, part):
    network(tensor(*X))
    ms.ops.assign(network.first.weight, tensor([5, 5], [5, 5]))
    np.testing.assert_array_equal(network(tensor(*X))[0].asnumpy(), part.eager(tensor(*X))[0].asnumpy())
    assert part.compiled == 1


def test_training_and_gradients_run_eagerly(network, part):
    value, gradient = ms.value_and_grad(lambda x: network(x)[0].sum())(tensor(*X))
    assert float(value) == 19.0
    np.testing.assert_array_equal(gradient.asnumpy(), np.full((2, 2), 1.5))
    network.set_train(True)
    network(tensor(*X))
    assert part.compiled == 0


def test_arguments_that_no_graph_accepts_run_eagerly(network, part):
    class Shifted(dict):
        pass

    found = network(tensor(*X), conditions=Shifted(text=1.0, other=object()))
    assert part.compiled == 0
    np.testing.assert_array_equal(found[0].asnumpy(), 1.5 * np.array(X) + 2)


def test_a_failed_compilation_runs_eagerly_with_one_warning(network, part, monkeypatch):
    def fail(self, tensors):
        raise RuntimeError("no such kernel\nand much more")

    monkeypatch.setattr(Graph, "_compile", fail)
    with pytest.warns(UserWarning, match=r"Network.*no such kernel"):
        found = network(tensor(*X))
    np.testing.assert_array_equal(found[0].asnumpy(), 1.5 * np.array(X) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network(tensor(*X))


def test_an_invalid_call_raises_the_eager_error(network, part):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with asynchronous launches, the error follows the warning
        with pytest.raises(ValueError, match="broadcast"):
            network(tensor(*X, *X))[0].asnumpy()


def test_the_number_of_graphs_is_limited(network, part, monkeypatch):
    monkeypatch.setattr(Part, "MOST_GRAPHS", 3)
    for length in range(1, Part.MOST_GRAPHS + 3):
        network(ms.Tensor(np.ones((length, 2, 2), np.float32)))
    assert len(part._graphs) == Part.MOST_GRAPHS
    found = network(ms.Tensor(np.ones((1, 2, 2), np.float32)))[0].asnumpy()
    np.testing.assert_array_equal(found, np.full((1, 2, 2), 2.5))


def test_removal_restores_the_component(network, part):
    network(tensor(*X))
    part.remove()
    assert "construct" not in vars(network)
    network(tensor(*X))
    assert part.compiled == 1


def test_arguments_as_source():
    tensors = []
    text = source_text({"a": (tensor(1),), "b": [None, True, 2, np.float32(0.5), "x"], "c": tensor(2)}, tensors)
    assert text == "{'a': (x0, ), 'b': [None, True, 2, 0.5, 'x', ], 'c': x1}"
    assert [float(tensor[0]) for tensor in tensors] == [1, 2]
    for bad in (object(), float("nan"), {1: 2}, {"a": float("inf")}):
        with pytest.raises(NotForGraphs):
            source_text(bad, [])
