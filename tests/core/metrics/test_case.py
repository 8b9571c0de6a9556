import json
import math

import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.metrics import dice, evaluate_case, hausdorff_mm
from napari_microus.core.metrics.case import is_missed, one_sided_frames


def test_published_frames_and_means(case):
    numbers, prediction, reference = case
    spacing = numbers["spacing_mm"]
    scores = evaluate_case(prediction, reference, (1, spacing, spacing))
    for row, expected in zip(scores.frames, numbers["slices"], strict=True):
        assert row.frame == expected["slice"]
        for name, value in expected.items():
            found = getattr(row, "frame" if name == "slice" else name)
            if value is None:
                assert math.isnan(found)
            else:
                assert found == pytest.approx(value, rel=1e-5)
    assert scores.case_mean_dice == pytest.approx(numbers["case_mean_dice"], rel=1e-5)
    expected = numbers["case_mean_hd95_mm"]
    assert scores.case_mean_hd95_mm == pytest.approx(expected, rel=1e-5)


def test_both_conventions_side_by_side():
    reference = np.zeros((3, 6, 6), bool)
    reference[:2, 1:5, 1:5] = True
    prediction = reference.copy()
    prediction[0, :, 3:] = False  # half of the first frame is missed
    prediction[2, 0, 0] = True  # and a voxel is found where there is none
    scores = evaluate_case(prediction, reference, (2.0, 0.5, 0.5))
    assert [row.has_both for row in scores.frames] == [True, True, False]
    assert scores.mean.dice == (2 * 8 / 24 + 1) / 2
    assert scores.volume.dice == 2 * 24 / (25 + 32)
    assert scores.volume.dice == dice(prediction, reference)
    expected = hausdorff_mm(prediction, reference, (2.0, 0.5, 0.5))
    assert scores.volume.hd95_mm == expected
    assert scores.frames[2].dice == 0
    assert math.isnan(scores.frames[2].hd95_mm)


def test_a_single_frame_is_a_case_of_one():
    reference = np.zeros((8, 8), bool)
    reference[2:6, 2:6] = True
    prediction = np.roll(reference, 1, axis=1)
    scores = evaluate_case(prediction, reference, (0.1, 0.2))
    assert scores.mean == scores.volume
    assert scores.frames[0].hd95_mm == pytest.approx(0.2)
    stacked = evaluate_case(prediction[None], reference[None], (1, 0.1, 0.2))
    assert stacked.mean == scores.mean


@pytest.mark.parametrize("who", [0, 1])
def test_undecided_voxels_count_nowhere(who):
    reference = np.zeros((2, 10, 10), np.uint8)
    reference[:, 2:8, 2:8] = 1
    prediction = reference.copy()
    prediction[:, 2:8, 7] = 0
    prediction[:, 0, 0] = 1
    pair = [prediction, reference]
    pair[who][:, :, 7] = 255
    pair[who][:, 0] = 255
    scores = evaluate_case(*pair, (1, 1, 1))
    assert scores.ignored_voxels == 2 * (10 + 9)
    for row in (*scores.frames, scores.mean, scores.volume):
        assert row.dice == row.jaccard == row.specificity == 1
        assert row.hd95_mm == row.assd_mm == 0


def test_an_undecided_rim_adds_no_surface():
    # The reference is unsure of a ring; within it the prediction is taken as right.
    rows, columns = np.mgrid[:40, :40]
    radius = np.hypot(rows - 20, columns - 20)
    reference = np.where(radius < 10, 1, np.where(radius < 14, 255, 0)).astype(np.uint8)
    scores = evaluate_case(radius < 12, reference, (1, 1))
    assert scores.mean.dice == 1
    assert scores.mean.hd_mm == 0
    assert evaluate_case(radius < 16, reference, (1, 1)).mean.hd_mm > 0


def test_empty_case_has_no_mean():
    empty = np.zeros((2, 5, 5), np.uint8)
    scores = evaluate_case(empty, empty, (1, 1, 1))
    assert math.isnan(scores.mean.dice)
    assert math.isnan(scores.volume.hd95_mm)


def test_plain_data_is_strict_json(case):
    _, prediction, reference = case
    plain = evaluate_case(prediction, reference, (1, 1, 1)).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["frames_in_mean"] == sum(row["has_both"] for row in plain["frames"])
    assert plain["case_mean"]["dice"] is not None


def test_bad_input_is_named():
    mask = np.ones((2, 4, 4), np.uint8)
    with pytest.raises(InputError, match="must share a grid; got"):
        evaluate_case(mask, mask[:1], (1, 1, 1))
    with pytest.raises(InputError, match="one number per axis, 3 here"):
        evaluate_case(mask, mask, (1, 1))
    with pytest.raises(InputError, match=r"reference must hold 0, 1 and 255 .* got 3"):
        evaluate_case(mask, mask * 3, (1, 1, 1))
    with pytest.raises(InputError, match="two or three dimensions"):
        evaluate_case(mask[None], mask[None], (1, 1, 1))


def test_undecided_background_is_no_background_found():
    # Of 20 pixels 4 are the object, 6 are undecided; of the 10 others 3 are taken
    # for the object.
    reference = np.zeros((4, 5), np.uint8)
    reference[0, :4] = 1
    reference[3] = reference[2, 4] = 255
    prediction = reference == 1
    prediction[1, :3] = True
    scores = evaluate_case(prediction, reference, 1)
    assert scores.ignored_voxels == 6
    assert scores.mean.specificity == 7 / 10
    assert scores.mean.precision == 4 / 7


def test_frames_that_one_mask_alone_shows_are_counted():
    one, two = np.zeros((2, 4, 3, 3), bool)
    one[0], two[1] = True, True  # one alone in two frames
    one[2, 0], two[2, 0] = True, True  # both, and neither in the last
    scores = evaluate_case(one, two, 1)
    assert one_sided_frames(scores) == 2
    assert not is_missed(scores)
    assert is_missed(evaluate_case(one[:1], two[:1], 1))
    assert not is_missed(evaluate_case(one[3:], two[3:], 1))  # nothing to miss


def test_the_first_strange_value_is_named():
    mask = np.ones((2, 4, 4), np.uint8)
    strange = mask.copy()
    strange[0, 1, 1], strange[1, 2, 2] = 7, 9
    with pytest.raises(InputError, match=r"prediction must hold .* got 7\."):
        evaluate_case(strange, mask, 1)
    with pytest.raises(InputError, match=r"reference must hold 0 and 1 .*; got 7\."):
        dice(mask, strange)
