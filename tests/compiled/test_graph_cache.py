"""Graphs on disk are found again, never confused, and never cause an error."""

import contextlib
import os

import mindspore as ms
import numpy as np
import pytest
from cells import Network, tensor

from mindone_tcd.compiled import graph_cache
from mindone_tcd.compiled.graph import Part

X = [[1.0, 2.0], [3.0, 4.0]]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDONE_TCD_CACHE", str(tmp_path / "graphs"))
    return tmp_path / "graphs"


def _run(network, x=X):
    part = Part(network, "O0")
    part.install()
    try:
        found = network(tensor(*x))[0].asnumpy()
        np.testing.assert_array_equal(found, part.eager(tensor(*x))[0].asnumpy())
    finally:
        part.remove()
    return found


def _changed(network):
    network.first.scaling["style"] = 0.25
    return network


def test_a_graph_is_stored_and_found_again(place):
    _run(Network())
    (file,) = place.iterdir()
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(0, 0))
    other = Network()
    other.first.weight.set_data(tensor([5, 5], [5, 5]))
    _run(other)
    assert list(place.iterdir()) == [file]
    assert file.stat().st_mtime_ns >= written, "the file was not used"


def test_another_graph_has_another_file(place):
    _run(Network())
    _run(_changed(Network()))
    _run(Network(), [X, X])
    assert len(list(place.iterdir())) == 3
    for network, x in ((_changed(Network()), X), (Network(), [X, X]), (Network(), X)):
        _run(network, x)
    assert len(list(place.iterdir())) == 3


def test_the_environment_is_part_of_the_name(monkeypatch):
    before = graph_cache.name_of("a", "b")
    assert graph_cache.name_of("a", "c") != before
    assert graph_cache.name_of("ab", "") != before
    monkeypatch.setattr(graph_cache, "versions", lambda: {"mindspore": "9"})
    assert graph_cache.name_of("a", "b") != before


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_file_only_causes_a_compilation(place, content):
    _run(Network())
    (file,) = place.iterdir()
    file.write_bytes(file.read_bytes()[:500] if content is None else content)
    _run(Network())


def test_the_cache_can_be_disabled(place, monkeypatch):
    monkeypatch.setenv("MINDONE_TCD_CACHE", "off")
    _run(Network())
    assert not place.exists()


def test_a_read_only_folder_causes_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINDONE_TCD_CACHE", str(tmp_path / "file" / "graphs"))
    _run(Network())


def test_the_users_own_cache_does_not_change(place, monkeypatch):
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "1")
    with graph_cache.cached("name.mindir"):
        assert "MS_DEV_FORCE_USE_COMPILE_CACHE" not in os.environ


def test_settings_are_restored(place):
    before = {name: value for name, value in os.environ.items() if name.startswith("MS_")}
    with contextlib.suppress(KeyError), graph_cache.cached("name.mindir"):
        assert os.environ["MS_COMPILER_CACHE_ENABLE"] == "1"
        raise KeyError
    assert {name: value for name, value in os.environ.items() if name.startswith("MS_")} == before


def test_a_wrong_count_is_corrected(place, monkeypatch):
    _run(Network())
    monkeypatch.setattr(graph_cache, "_count", graph_cache._count + 7)
    _run(_changed(Network()))
    _run(Network())
    assert len(list(place.iterdir())) == 2


def test_the_number_of_files_is_limited(place, monkeypatch):
    monkeypatch.setattr(graph_cache, "MOST_FILES", 2)
    for length in (1, 2, 3):
        _run(Network(), [X] * length)
    assert len(list(place.glob("*.mindir"))) == 2


def test_other_compilations_are_not_affected(place):
    _run(Network())

    def double(x):
        return x * 2

    np.testing.assert_array_equal(ms.jit(double)(tensor(1, 2)).asnumpy(), [2, 4])
    _run(Network())
