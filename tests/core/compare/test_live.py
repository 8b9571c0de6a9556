import numpy as np
import pytest

from napari_microus.core.compare.live import LiveDisagreement
from napari_microus.core.disagreement import (
    count_codes,
    disagreement_map,
)
from napari_microus.core.hard_region import hard_region


@pytest.mark.parametrize("kernel_size", [1, 4, 7])
def test_random_edits_end_with_the_map_computed_again(kernel_size):
    rng = np.random.default_rng(kernel_size)
    expert = (rng.random((4, 50, 60)) < 0.1).astype(np.uint8)
    nonexpert = (rng.random((4, 50, 60)) < 0.1).astype(np.int32)
    live = LiveDisagreement(expert, nonexpert)
    list(live.update_all())
    list(live.widen(kernel_size))
    shown = live.codes

    for _ in range(60):
        z, y, x = rng.integers(0, (4, 50, 60))
        box = (slice(z, z + 1), slice(y, y + 9), slice(x, x + 9))
        mask = (expert, nonexpert)[rng.integers(2)]
        mask[box] = rng.choice([0, 1, 255])
        live.update(box)

    expected = disagreement_map(expert, nonexpert)
    assert live.codes is shown
    np.testing.assert_array_equal(live.codes, expected)
    np.testing.assert_array_equal(live.per_frame, count_codes(expected))
    again = hard_region(expert, nonexpert.astype(np.uint8), kernel_size)
    np.testing.assert_array_equal(live.hard, again)


def test_an_edit_that_changes_nothing_says_so():
    mask = np.zeros((2, 5, 5), np.uint8)
    live = LiveDisagreement(mask, mask.copy())
    assert live.update((slice(0, 1),)) is None


def test_a_changed_box_grows_by_the_reach_of_the_hard_region():
    expert, nonexpert = np.zeros((2, 1, 30, 30), np.uint8)
    live = LiveDisagreement(expert, nonexpert)
    list(live.widen(3))
    expert[0, 10, 10] = 1
    changed = live.update((slice(0, 1), slice(10, 11), slice(10, 11)))
    assert changed == (slice(0, 1), slice(7, 14), slice(7, 14))


def test_a_single_frame_needs_no_third_axis():
    expert, nonexpert = np.zeros((2, 8, 8), np.uint8)
    live = LiveDisagreement(expert, nonexpert)
    nonexpert[2, 3] = 1
    list(live.update_all())
    assert live.codes[2, 3] == 3
    assert live.per_frame.tolist() == [[63, 0, 0, 1, 0]]


def test_an_edit_while_the_region_is_widened_is_not_lost():
    expert, nonexpert = np.zeros((2, 3, 20, 20), np.uint8)
    live = LiveDisagreement(expert, nonexpert)
    work = live.widen(3)
    next(work)
    expert[0, 5, 5] = 1
    live.update((slice(0, 1),))
    list(work)
    np.testing.assert_array_equal(live.hard, hard_region(expert, nonexpert, 3))
