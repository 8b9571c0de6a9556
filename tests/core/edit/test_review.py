import os
import time

import numpy as np

from napari_microus.core.edit.autosave import (
    autosave,
    find_autosave,
    fingerprint,
    remove_autosave,
)
from napari_microus.core.edit.review import FrameState, Review
from napari_microus.core.volume import Volume


def test_a_review_comes_back_from_its_provenance():
    review = Review(6, {1}, {2, 4}, [5, 2])
    made = {
        "review": review.to_provenance(),
        "confidence": {"look_first": [5, 2, 99]},
    }
    assert Review.from_provenance(6, made) == review
    assert Review.from_provenance(6, None) == Review(6)
    assert Review.from_provenance(3, {"review": {"edited": [9, "x"]}}) == Review(3)


def test_an_edit_takes_the_approval_back():
    review = Review(3, approved={1})
    review.edit(1)
    assert review.state(1, False) is FrameState.EDITED
    assert review.protected == {1}


def test_states_in_the_order_of_their_weight():
    review = Review(5, edited={1}, approved={0}, doubtful=[0, 2])
    states = [review.state(k, is_empty=k == 3) for k in range(5)]
    assert states == [
        FrameState.APPROVED,
        FrameState.EDITED,
        FrameState.DOUBTFUL,
        FrameState.EMPTY,
        FrameState.MODEL,
    ]


def test_the_next_frame_comes_round_and_ends():
    review = Review(4, approved={0, 3}, doubtful=[2, 1])
    assert review.next_unapproved(1) == 2
    assert review.next_unapproved(2) == 1
    assert review.next_doubtful() == 2
    review.approved |= {1, 2}
    assert review.next_unapproved(0) is None
    assert review.next_doubtful() is None


def test_what_was_kept_comes_back(tmp_path):
    mask = np.zeros((3, 5, 7), np.uint8)
    mask[1, 2, 3], mask[2] = 1, 255
    autosave("key", mask, {"review": {"edited": [1]}}, tmp_path)
    found = find_autosave("key", tmp_path)
    assert found is not None
    assert np.array_equal(found.mask, mask)
    assert found.provenance == {"review": {"edited": [1]}}
    remove_autosave("key", tmp_path)
    assert find_autosave("key", tmp_path) is None


def test_a_damaged_file_is_no_offer(tmp_path):
    path = autosave("key", np.ones((2, 4, 4), np.uint8), {}, tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    assert find_autosave("key", tmp_path) is None


def test_twenty_scans_are_kept(tmp_path):
    for number in range(23):
        autosave(f"k{number:02}", np.ones((1, 2, 2), np.uint8), {}, tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 20
    assert find_autosave("k22", tmp_path) is not None


def test_the_newest_twenty_are_kept_when_the_clock_is_set_back(tmp_path):
    mask = np.ones((1, 2, 2), np.uint8)
    for number in range(20):
        path = autosave(f"old{number:02}", mask, {}, tmp_path)
        # Written while the clock stood a year ahead.
        ahead = time.time() + 365 * 86400 + number
        os.utime(path, (ahead, ahead))

    for number in range(3):
        autosave(f"new{number}", mask, {}, tmp_path)

    kept = {path.stem for path in tmp_path.glob("*.npz")}
    expected = {f"old{number:02}" for number in range(3, 20)}
    assert kept == expected | {"new0", "new1", "new2"}
    found = find_autosave("new1", tmp_path)
    assert found is not None
    # The time that is shown is the clock's, not the order's.
    assert abs(found.saved.timestamp() - time.time()) < 60


def test_a_scan_is_known_by_its_voxels_and_its_place():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    one = Volume.from_spacing(array, (1, 0.1, 0.1))
    other = array.copy()
    other[1, 2, 3] += 1
    keys = {
        fingerprint(one),
        fingerprint(one.like(other)),
        fingerprint(Volume.from_spacing(array, (1, 0.1, 0.2))),
    }
    assert len(keys) == 3
    again = Volume.from_spacing(array.copy(), (1, 0.1, 0.1))
    assert fingerprint(again) == fingerprint(one)
