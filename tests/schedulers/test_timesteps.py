import copy
import pickle

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.schedulers.timesteps import Timesteps, host_values, origin_grid, pick

VALUES = (999, 759, 499, 259)


@pytest.fixture
def timesteps():
    return Timesteps(VALUES)


def test_timesteps_are_a_tensor(timesteps):
    assert isinstance(timesteps, ms.Tensor)
    assert timesteps.dtype == ms.int64
    assert timesteps.asnumpy().tolist() == list(VALUES)
    assert (timesteps < 700).sum().item() == 2
    assert len(timesteps) == 4


def test_elements_and_slices_know_their_values(timesteps):
    assert [host_values(t).tolist() for t in timesteps] == [[value] for value in VALUES]
    assert all(
        t.shape == () and t.dtype == ms.int64 and t.asnumpy() == v for t, v in zip(timesteps, VALUES, strict=True)
    )
    for place in (1, -1, np.int64(2)):
        assert host_values(timesteps[place]).tolist() == [VALUES[place]]
    for part in (slice(1, None), slice(None, 2), slice(None, None, 2), slice(-1, None)):
        assert timesteps[part].host_values == VALUES[part]
        assert timesteps[part].asnumpy().tolist() == list(VALUES[part])
    with pytest.raises(IndexError):
        timesteps[4]


def test_derived_tensors_do_not_know_their_values(timesteps):
    assert host_values(timesteps + 1) is None
    assert host_values(timesteps.tile((2,))) is None
    assert host_values(ms.Tensor(3)) is None


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_know_their_values(timesteps, duplicate):
    assert duplicate(timesteps).host_values == VALUES


def test_known_values():
    for known in (3, 3.0, np.int64(3), np.array(3), [3]):
        assert host_values(known).tolist() == [3]


def test_origin_grid_and_pick():
    grid = origin_grid(1000, 50)
    assert grid[0] == 19
    assert grid[-1] == 999
    assert len(grid) == 50
    assert set(np.diff(grid)) == {20}
    assert pick(grid, 50).tolist() == grid[::-1].tolist()
    assert pick(grid, 3).tolist() == [999, 679, 339]
