import numpy as np

from napari_microus.core.train.frames import FrameCache, JoinedFrames


def cache(first, count, name):
    """Frames that hold their own number."""
    numbers = np.arange(first, first + count, dtype=np.uint8)
    frames = np.broadcast_to(numbers[:, None, None], (count, 2, 2)).copy()
    expert, nonexpert = frames % 2, frames % 3 % 2
    cases = [f"{name}{number}" for number in range(count)]
    return FrameCache(frames, expert, nonexpert, np.arange(count), cases)


def test_phantoms_lie_behind_the_frames_of_a_study_in_the_order_asked_for():
    joined = JoinedFrames(cache(10, 3, "study"), cache(20, 4, "phantom"))
    indices = np.array([4, 0, 6, 2, 3])

    frames, masks = joined.batch(indices)

    assert len(joined) == 7
    assert frames.shape == (5, 1, 2, 2)
    assert frames[:, 0, 0, 0].tolist() == [21, 10, 23, 12, 20]
    assert masks[:, 0, 0, 0].tolist() == [1, 0, 1, 0, 0]
    assert joined.names(indices) == [
        "study0",
        "study2",
        "phantom1",
        "phantom3",
        "phantom0",
    ]


def test_a_batch_may_hold_one_kind_alone():
    joined = JoinedFrames(cache(10, 3, "study"), cache(20, 4, "phantom"))
    assert joined.batch(np.array([2, 1]))[0][:, 0, 0, 0].tolist() == [12, 11]
    assert joined.batch(np.array([3]))[0][:, 0, 0, 0].tolist() == [20]
