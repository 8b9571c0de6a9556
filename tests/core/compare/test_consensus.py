import json
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.compare.consensus import (
    Consensus,
    consensus,
    staple,
    why_not,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain

REFERENCE = Path(__file__).parents[2] / "reference"
SPACING = (1.0, 1.0, 1.0)


def row(*values):
    return np.array([[values]], np.uint8)


def disc(radius, centre=(20, 20), shape=(41, 41)):
    y, x = np.indices(shape)
    return (np.hypot(y - centre[0], x - centre[1]) <= radius).astype(np.uint8)[None]


@pytest.mark.parametrize(
    "case", json.loads((REFERENCE / "staple.json").read_text(encoding="utf-8"))
)
def test_staple_meets_the_reference(case):
    stored = np.load(REFERENCE / "staple.npz")
    masks = list(stored[f"case{case['case']}_masks"].astype(np.uint8))

    result = staple(masks)

    np.testing.assert_allclose(result.sensitivity, case["sensitivity"], atol=1e-6)
    np.testing.assert_allclose(result.specificity, case["specificity"], atol=1e-6)
    probability = stored[f"case{case['case']}_probability"]
    np.testing.assert_allclose(result.probability, probability, atol=1e-5)


def test_staple_meets_simpleitk_on_other_masks():
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(8)
    truth = disc(11)
    masks = [
        np.asarray(truth ^ (rng.random(truth.shape) < error), np.uint8)
        for error in (0.02, 0.05, 0.1, 0.2)
    ]
    stapler = sitk.STAPLEImageFilter()
    stapler.SetForegroundValue(1)
    expected = sitk.GetArrayFromImage(
        stapler.Execute([sitk.GetImageFromArray(mask) for mask in masks])
    )

    result = staple(masks)

    np.testing.assert_allclose(result.probability, expected, atol=1e-6)
    np.testing.assert_allclose(result.sensitivity, stapler.GetSensitivity(), atol=1e-6)
    fused = drain(consensus(masks, "staple", SPACING))
    np.testing.assert_array_equal(fused, expected > 0.5)


def test_staple_does_not_count_an_open_pixel_as_a_vote():
    truth = disc(11)
    masks = [truth.copy() for _ in range(3)]
    masks[0][:, :20] = 255
    result = staple(masks)
    np.testing.assert_allclose(result.sensitivity, 1, atol=1e-6)
    fused = drain(consensus(masks, Consensus.staple, SPACING))
    np.testing.assert_array_equal(fused, truth)


def test_votes_are_counted():
    masks = [row(1, 1, 0, 0), row(1, 0, 1, 0), row(1, 1, 0, 0)]
    assert drain(consensus(masks, "union", SPACING)).tolist() == [[[1, 1, 1, 0]]]
    both = drain(consensus(masks, "intersection", SPACING))
    assert both.tolist() == [[[1, 0, 0, 0]]]
    most = drain(consensus(masks, "majority", SPACING))
    assert most.tolist() == [[[1, 1, 0, 0]]]


def test_an_open_pixel_is_no_vote_and_stays_open_where_nobody_votes():
    masks = [row(255, 255, 1), row(1, 255, 0), row(255, 255, 1)]
    expected = {"union": [1, 255, 1], "intersection": [1, 255, 0]}
    expected["majority"] = [1, 255, 1]
    for method, values in expected.items():
        assert drain(consensus(masks, method, SPACING)).tolist() == [[values]]


def test_a_tie_is_background():
    masks = [row(1), row(1), row(0), row(0)]
    assert drain(consensus(masks, "majority", SPACING)).tolist() == [[[0]]]


def test_mean_distance_of_two_discs_is_the_disc_between():
    fused = drain(consensus([disc(8), disc(14)], "mean_distance", SPACING))
    difference = fused != disc(11)
    assert difference.sum() <= 0.03 * disc(11).sum()


def test_mean_distance_follows_half_of_the_annotators_in_a_frame():
    empty = np.zeros_like(disc(8))
    two_of_three = drain(consensus([disc(8), disc(8), empty], "mean_distance", SPACING))
    np.testing.assert_array_equal(two_of_three, disc(8))
    one_of_three = drain(consensus([disc(8), empty, empty], "mean_distance", SPACING))
    assert not one_of_three.any()


def test_mean_distance_takes_a_mask_that_fills_the_picture():
    full = np.ones((1, 9, 9), np.uint8)
    fused = drain(consensus([full, full], "mean_distance", SPACING))
    np.testing.assert_array_equal(fused, full)


@pytest.mark.parametrize("method", ["majority", "staple"])
def test_two_annotators_are_too_few_and_the_reason_is_said(method):
    reason = why_not(Consensus(method), 2)
    assert reason is not None
    assert "three or more" in reason
    with pytest.raises(InputError, match="three or more"):
        drain(consensus([disc(8), disc(9)], method, SPACING))


def test_every_method_serves_three():
    assert [why_not(method, 3) for method in Consensus] == [None] * 5


def test_staple_leaves_a_pixel_open_that_nobody_decided():
    discs = [disc(radius) for radius in (10, 11, 12)]
    for mask in discs:
        mask[0, 0, :3] = 255
    discs[0][0, 5, 5] = 255  # the others did decide
    fused = drain(consensus(discs, "staple", SPACING))
    assert (fused[0, 0, :3] == 255).all()
    assert (fused == 255).sum() == 3
    assert fused[0, 5, 5] == 0
    assert fused[0, 20, 20] == 1
