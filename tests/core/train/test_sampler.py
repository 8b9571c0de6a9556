import numpy as np
import pytest

from napari_microus.core.train.sampler import Sampler


def test_an_epoch_shows_every_frame_and_fills_its_last_batch():
    sampler = Sampler(count=10, batch_size=4, seed=0)
    order = sampler.order(0)
    assert sampler.batches == 3
    assert len(order) == 12
    assert set(order) == set(range(10))
    assert not np.array_equal(order, sampler.order(1))


def test_processes_share_a_batch_without_overlap():
    whole = Sampler(count=20, batch_size=6, seed=1)
    parts = [Sampler(20, 6, 1, rank=r, world=3) for r in range(3)]
    order = whole.order(2)
    indices, keys = whole.share(order, 2, 1)
    shared = [part.share(order, 2, 1) for part in parts]
    np.testing.assert_array_equal(np.concatenate([s[0] for s in shared]), indices)
    assert [key for s in shared for key in s[1]] == keys


def test_short_epochs_leave_no_frame_out():
    sampler = Sampler(count=10, batch_size=2, seed=0, epoch_size=4)
    seen = np.concatenate([sampler.order(epoch) for epoch in range(5)])
    assert sampler.batches == 2
    assert sorted(seen[:10]) == list(range(10))


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_frames_than_a_batch_repeat(count):
    order = Sampler(count=count, batch_size=8, seed=0).order(0)
    assert len(order) == 8
    assert set(order) == set(range(count))


def test_a_share_of_an_epoch_comes_from_the_extra_frames():
    sampler = Sampler(count=400, batch_size=8, seed=0, extra=50, extra_share=0.25)
    order = sampler.order(0)
    extra = order[order >= 400]
    assert len(order) == 400
    assert 70 < len(extra) < 130
    assert extra.max() < 450
    np.testing.assert_array_equal(order, sampler.order(0))
