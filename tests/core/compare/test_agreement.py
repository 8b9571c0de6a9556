import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from napari_microus.core.compare.agreement import cohen_kappa, fleiss_kappa
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError


@pytest.fixture
def masks():
    rng = np.random.default_rng(4)
    truth = rng.random((3, 20, 30)) < 0.4
    return [
        (truth ^ (rng.random(truth.shape) < error)).astype(np.uint8)
        for error in (0.05, 0.1, 0.3, 0.2)
    ]


def kappa(one, two):
    return cohen_kappa(counts(count_codes(disagreement_map(one, two))))


def test_cohen_kappa_equals_scikit_learn(masks):
    one, two = masks[:2]
    expected = cohen_kappa_score(one.ravel(), two.ravel())
    assert kappa(one, two) == pytest.approx(expected, abs=1e-12)


def test_cohen_kappa_leaves_undecided_pixels_out(masks):
    one, two = masks[0].copy(), masks[1]
    one[:, :5] = 255
    known = one != 255
    expected = cohen_kappa_score(one[known], two[known])
    assert kappa(one, two) == pytest.approx(expected, abs=1e-12)


def test_kappa_of_two_empty_masks_has_no_value():
    nothing = np.zeros((1, 4, 4), np.uint8)
    assert np.isnan(kappa(nothing, nothing))
    assert np.isnan(fleiss_kappa([nothing, nothing, nothing]))


def test_fleiss_kappa_meets_the_worked_example():
    # Four annotators, five pixels with 4, 3, 2, 0 and 0 votes:
    # P_i = (1, 1/2, 1/3, 1, 1), mean 23/30; share of votes 9/20, so
    # P_e = 0.45² + 0.55² = 0.505.
    votes = (4, 3, 2, 0, 0)
    masks = [
        np.array([[[int(rater < n) for n in votes]]], np.uint8) for rater in range(4)
    ]
    assert fleiss_kappa(masks) == pytest.approx((23 / 30 - 0.505) / 0.495)


def test_fleiss_kappa_of_two_lies_near_cohen(masks):
    assert fleiss_kappa(masks[:2]) == pytest.approx(kappa(*masks[:2]), abs=0.01)


def test_fleiss_kappa_leaves_undecided_pixels_out(masks):
    opened = [mask.copy() for mask in masks]
    opened[0][:, :5] = 255
    expected = fleiss_kappa([mask[:, 5:] for mask in masks])
    assert fleiss_kappa(opened) == pytest.approx(expected, abs=1e-12)


def test_one_annotator_is_refused(masks):
    with pytest.raises(InputError, match="two or more annotators; got 1"):
        fleiss_kappa(masks[:1])
