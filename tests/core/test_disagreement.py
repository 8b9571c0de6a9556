import numpy as np
import pytest

from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
    disputed,
)
from napari_microus.core.errors import InputError

EXPERT = np.array([[[0, 1, 1, 0, 255]]], np.uint8)
NONEXPERT = np.array([[[0, 1, 0, 1, 1]]], np.uint8)


def test_every_pixel_says_who_drew_it():
    codes = disagreement_map(EXPERT, NONEXPERT)
    np.testing.assert_array_equal(codes, [[[0, 1, 2, 3, 4]]])
    np.testing.assert_array_equal(disputed(codes), [[[0, 0, 1, 1, 0]]])


def test_chosen_values_mean_foreground():
    codes = disagreement_map(EXPERT * 2, NONEXPERT, expert_value=2)
    np.testing.assert_array_equal(codes[..., :4], [[[0, 1, 2, 3]]])
    whole = disagreement_map(EXPERT, NONEXPERT, expert_value=255)
    np.testing.assert_array_equal(whole, [[[0, 3, 0, 3, 1]]])


def test_counts_and_dice_leave_undecided_pixels_out():
    total = counts(count_codes(disagreement_map(EXPERT, NONEXPERT)))
    assert (total.both, total.expert_only, total.nonexpert_only) == (1, 1, 1)
    assert (total.ignored, total.background, total.disputed) == (1, 1, 2)
    assert total.dice == 2 * 1 / (2 + 2)


def test_dice_of_two_empty_masks_has_no_value():
    nothing = np.zeros((1, 3, 3), np.uint8)
    assert np.isnan(counts(count_codes(disagreement_map(nothing, nothing))).dice)


def test_different_grids_are_named():
    with pytest.raises(InputError, match=r"\(1, 1, 5\) and \(1, 1, 4\)\. Resample"):
        disagreement_map(EXPERT, NONEXPERT[..., :4])
