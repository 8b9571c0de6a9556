import math

import numpy as np
import pytest

from napari_microus.core.compare.frames import (
    FrameAgreement,
    compare_frame,
    compare_frames,
)
from napari_microus.core.compare.surfaces import signed_mean_mm
from napari_microus.core.compare.totals import summarise
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain

SPACING = (1.2, 0.5, 0.25)


def block(rows, columns, shape=(30, 40)):
    mask = np.zeros(shape, np.uint8)
    mask[slice(*rows), slice(*columns)] = 1
    return mask


def test_a_wider_block_is_measured_as_by_hand():
    expert, nonexpert = block((10, 20), (10, 20)), block((10, 20), (10, 24))
    row = compare_frame(expert, nonexpert, SPACING[1:], frame=3)
    assert row.frame == 3
    assert row.dice == pytest.approx(200 / 240)
    assert row.expert_mm2 == pytest.approx(100 * 0.125)
    assert row.nonexpert_mm2 == pytest.approx(140 * 0.125)
    assert row.disagreement_mm2 == pytest.approx(40 * 0.125)
    # The right edge lies 4 columns of 0.25 mm further out.
    assert row.hd95_mm == pytest.approx(1.0)
    assert row.signed_mean_mm > 0


def test_the_sign_says_who_draws_larger():
    y, x = np.indices((80, 80))
    small, large = ((np.hypot(y - 40, x - 40) < r) for r in (20, 23))
    assert signed_mean_mm(small, large, (1, 1)) == pytest.approx(3, abs=0.2)
    assert signed_mean_mm(large, small, (1, 1)) == pytest.approx(-3, abs=0.2)
    assert signed_mean_mm(small, small, (1, 1)) == 0


@pytest.mark.parametrize("empty", ["expert", "nonexpert", "both"])
def test_an_empty_mask_has_no_distance_and_nothing_crashes(empty):
    drawn, nothing = block((10, 20), (10, 20)), block((0, 0), (0, 0))
    expert = nothing if empty in ("expert", "both") else drawn
    nonexpert = nothing if empty in ("nonexpert", "both") else drawn
    row = compare_frame(expert, nonexpert, SPACING[1:])
    assert np.isnan([row.hd95_mm, row.assd_mm, row.signed_mean_mm]).all()
    assert np.isnan(row.dice) if empty == "both" else row.dice == 0


def test_equal_masks_agree():
    mask = block((10, 20), (10, 20))
    row = compare_frame(mask, mask, SPACING[1:])
    assert (row.dice, row.hd95_mm, row.assd_mm, row.signed_mean_mm) == (1, 0, 0, 0)
    assert row.disagreement_mm2 == 0


def test_undecided_pixels_change_no_number():
    expert, nonexpert = block((10, 20), (10, 20)), block((10, 20), (10, 24))
    opened = expert.copy()
    opened[:, 20:24] = 255  # all that the second annotator adds
    row = compare_frame(opened, nonexpert, SPACING[1:])
    assert row.dice == 1
    assert row.disagreement_mm2 == 0
    assert row.hd95_mm == 0


@pytest.mark.parametrize("scale", [1, 255, True])
def test_frames_are_measured_in_turn_whatever_the_values(scale):
    expert = np.stack([block((10, 20), (10, 20))] * 3) * np.array(scale)
    nonexpert = np.stack([block((10, 20), (10, 22))] * 3)
    rows = drain(compare_frames(expert, nonexpert, SPACING, frames=[2, 0]))
    assert [row.frame for row in rows] == [2, 0]
    assert rows[0].dice == pytest.approx(200 / 220)


def test_other_grids_and_several_labels_are_refused():
    mask = np.stack([block((10, 20), (10, 20))])
    with pytest.raises(InputError, match="share a grid"):
        drain(compare_frames(mask, mask[:, :-1], SPACING))
    labels = mask.copy()
    labels[0, 0, 0] = 5
    with pytest.raises(InputError, match="several"):
        drain(compare_frames(labels, mask, SPACING))


def test_totals_sum_up_the_frames():
    expert = np.stack([block((10, 20), (10, 20)), block((0, 0), (0, 0))] * 2)
    nonexpert = np.stack([block((10, 20), (10, 24))] * 2 + [block((0, 0), (0, 0))] * 2)
    rows = drain(compare_frames(expert, nonexpert, SPACING))
    pixels = counts(count_codes(disagreement_map(expert, nonexpert)))
    total = summarise(rows, pixels, SPACING, knows_frame_distance=True)
    assert (total.frames, total.frames_both_drew, total.frames_one_drew) == (4, 1, 2)
    assert total.dice == pytest.approx(2 * 100 / (200 + 280))
    assert total.mean_frame_dice == pytest.approx(200 / 240)
    assert total.mean_hd95_mm == total.worst_hd95_mm == pytest.approx(1.0)
    assert total.expert_ml == pytest.approx(200 * 0.15 / 1000)
    assert total.volume_difference_ml == pytest.approx(80 * 0.15 / 1000)
    assert total.disagreement_mm2 == pytest.approx(280 * 0.125)


def test_totals_of_nothing_have_no_value():
    nothing = np.zeros((2, 5, 5), np.uint8)
    rows = drain(compare_frames(nothing, nothing, SPACING))
    pixels = counts(count_codes(disagreement_map(nothing, nothing)))
    total = summarise(rows, pixels, SPACING, knows_frame_distance=True)
    assert np.isnan([total.dice, total.mean_hd95_mm, total.cohen_kappa]).all()
    assert total.expert_ml == 0


def test_frame_whose_object_is_undecided_has_no_distance():
    expert = np.zeros((3, 20, 20), np.uint8)
    expert[:, 5:15, 5:15] = 1
    nonexpert = expert.copy()
    nonexpert[0] = 255  # nobody decided anything
    nonexpert[1][nonexpert[1] == 1] = 255  # nor the object
    rows = drain(
        compare_frames(
            expert, nonexpert, (1, 0.5, 0.5), expert_value=1, nonexpert_value=1
        )
    )
    for row in rows[:2]:
        assert math.isnan(row.hd95_mm)
        assert math.isnan(row.assd_mm)
        assert math.isnan(row.signed_mean_mm)
    assert rows[2].hd95_mm == 0
    areas = [(row.expert_mm2, row.nonexpert_mm2, row.disagreement_mm2) for row in rows]
    assert np.isnan(areas[0]).all()
    assert areas[1:] == [(0, 0, 0), (25, 25, 0)]


def test_contours_are_compared_at_a_tolerance():
    # Squares of 36 and 44 contour pixels. Beyond 0.25 mm, one column, lie the wider
    # one's right edge (10 pixels) and the last 2 columns of both rims (4), and the
    # 8 inner pixels of the expert's right edge, a row of 0.5 mm or more from a rim.
    expert, nonexpert = block((10, 20), (10, 20)), block((10, 20), (10, 24))
    row = compare_frame(expert, nonexpert, SPACING[1:], tolerance_mm=0.25)
    assert row.tolerance_mm == 0.25
    assert row.surface_dice == pytest.approx(1 - (8 + 14) / (36 + 44))
    assert row.added_path_mm == pytest.approx(8 * math.sqrt(0.125))
    assert compare_frame(expert, nonexpert, SPACING[1:]).tolerance_mm == 1


def test_a_frame_that_one_alone_drew_has_no_common_contour():
    drawn, nothing = block((10, 20), (10, 20)), block((0, 0), (0, 0))
    missed = compare_frame(drawn, nothing, (0.5, 0.5))
    assert (missed.surface_dice, missed.added_path_mm) == (0, 36 * 0.5)
    invented = compare_frame(nothing, drawn, (0.5, 0.5))
    assert (invented.surface_dice, invented.added_path_mm) == (0, 0)
    neither = compare_frame(nothing, nothing, (0.5, 0.5))
    assert np.isnan([neither.surface_dice, neither.added_path_mm]).all()


def test_undecided_contours_count_in_neither_measure():
    expert, nonexpert = block((10, 20), (10, 20)), block((10, 20), (10, 24))
    opened = expert.copy()
    opened[:, 20:24] = 255
    row = compare_frame(opened, nonexpert, SPACING[1:], tolerance_mm=0)
    assert (row.surface_dice, row.added_path_mm) == (1, 0)
    unknown = np.full_like(expert, 255)
    row = compare_frame(expert, unknown, SPACING[1:])
    assert np.isnan([row.surface_dice, row.added_path_mm]).all()


def test_totals_add_up_the_paths_and_average_the_surface_dice():
    expert = np.stack([block((10, 20), (10, 20))] * 2 + [block((0, 0), (0, 0))])
    nonexpert = np.stack([block((10, 20), (10, 24)), block((0, 0), (0, 0))] * 2)[:3]
    rows = drain(compare_frames(expert, nonexpert, (1, 0.5, 0.5), tolerance_mm=0.5))
    pixels = counts(count_codes(disagreement_map(expert, nonexpert)))
    total = summarise(rows, pixels, (1, 0.5, 0.5), knows_frame_distance=True)
    assert total.tolerance_mm == 0.5
    assert total.mean_surface_dice == rows[0].surface_dice
    # The frame that the expert alone drew has all of its 36 pixels to be added.
    assert total.added_path_mm == rows[0].added_path_mm + 36 * 0.5
    assert rows[0].added_path_mm > 0


def test_no_volume_without_a_frame_distance():
    expert = np.stack([block((10, 20), (10, 20))])
    rows = drain(compare_frames(expert, expert, SPACING))
    pixels = counts(count_codes(disagreement_map(expert, expert)))
    total = summarise(rows, pixels, SPACING, knows_frame_distance=False)
    assert np.isnan([total.expert_ml, total.nonexpert_ml]).all()
    assert math.isnan(total.volume_difference_ml)
    assert total.dice == 1


def test_a_row_of_eight_values_is_still_a_row():
    row = FrameAgreement(3, *[math.nan] * 7)
    assert math.isnan(row.surface_dice)
