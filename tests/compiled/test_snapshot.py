"""A snapshot detects changes of everything that a graph captured, and of nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from cells import Layer, Network, tensor

from mindone_tcd.compiled.snapshot import Snapshot


def _put_other_layer(network):
    network.second = Layer(3.0)


def _delete_parameter(network):
    del network.first._params["weight"]


CHANGES = {
    "weights exchanged": lambda network: network.first.weight.set_data(tensor([5, 5], [5, 5])),
    "an entry of a dictionary": lambda network: network.first.scaling.update(style=0.25),
    "a new entry": lambda network: network.first.scaling.update(other=1.0),
    "an entry less": lambda network: network.first.scaling.clear(),
    "a list grown": lambda network: network.first.active.append("other"),
    "a list replaced": lambda network: setattr(network.first, "active", []),
    "a list's entry": lambda network: network.processor.scale.__setitem__(1, 0.5),
    "a flag": lambda network: setattr(network.second, "merged", True),
    "a flag that is equal to the old number": lambda network: setattr(network.processor, "scale", [True, 2.0]),
    "a new attribute": lambda network: setattr(network.second, "extra", 1),
    "another object": lambda network: setattr(network, "processor", type("Other", (), {})()),
    "a layer exchanged": _put_other_layer,
    "a parameter taken out": _delete_parameter,
    "training": lambda network: network.set_train(True),
    "a constant tensor": lambda network: setattr(network, "shift", tensor(2, 2)),
    "an array in place": lambda network: network.table.__setitem__(0, 9.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_detected(change):
    network = Network()
    snapshot = Snapshot(network)
    assert snapshot.holds()
    CHANGES[change](network)
    assert not snapshot.holds(), change


def test_values_that_graphs_read_at_each_run_are_no_change():
    network = Network()
    snapshot = Snapshot(network)
    network(tensor([1, 1], [1, 1]))
    ms.ops.assign(network.first.weight, tensor([4, 4], [4, 4]))
    assert snapshot.holds()


def test_a_restored_setting_is_valid_again():
    network = Network()
    snapshot = Snapshot(network)
    network.first.active, network.first.scaling = [], {"style": 0.25}
    assert not snapshot.holds()
    network.first.active, network.first.scaling = ["style"], {"style": 0.5}
    assert snapshot.holds()


def test_the_digest_depends_on_the_graph_and_not_on_the_weights():
    one, other = Network(), Network()
    other.first.weight.set_data(tensor([5, 5], [5, 5]))
    assert Snapshot(one).digest == Snapshot(other).digest


@pytest.mark.parametrize("change", sorted(CHANGES.keys() - {"weights exchanged", "a layer exchanged"}))
def test_the_digest_differs_if_the_graph_would(change):
    network = Network()
    before = Snapshot(network).digest
    CHANGES[change](network)
    assert Snapshot(network).digest not in (before, None), change


def test_the_digest_is_the_same_in_another_process():
    here = Path(__file__).parent
    code = "import cells, mindone_tcd.compiled.snapshot as s; print(s.Snapshot(cells.Network()).digest)"
    paths = os.pathsep.join([str(here), str(here.parents[1])])
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split()[-1] == Snapshot(Network()).digest


@pytest.mark.parametrize("thing", [lambda x: x, object(), {object(): 1}, np.array([object()])])
def test_an_object_without_a_description_has_no_digest(thing):
    network = Network()
    network.thing = thing
    assert Snapshot(network).digest is None
