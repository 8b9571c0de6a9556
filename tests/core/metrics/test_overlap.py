import math

import numpy as np
import pytest

from napari_microus.core import metrics
from napari_microus.core.errors import InputError

OVERLAPS = ("dice", "jaccard", "sensitivity", "specificity", "precision")


@pytest.mark.parametrize("name", OVERLAPS)
def test_published_numbers(case, name):
    numbers, prediction, reference = case
    for row in numbers["slices"]:
        if row.get(name) is None:
            continue
        z = row["slice"]
        found = getattr(metrics, name)(prediction[z], reference[z])
        assert found == pytest.approx(row[name], rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 1)])
def test_hand_count(shape):
    # Of ten voxels three are in both, one in the prediction, two in the reference.
    prediction = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0]).reshape(shape)
    reference = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0]).reshape(shape)
    assert metrics.dice(prediction, reference) == 6 / 9
    assert metrics.jaccard(prediction, reference) == 3 / 6
    assert metrics.sensitivity(prediction, reference) == 3 / 5
    assert metrics.specificity(prediction, reference) == 4 / 5
    assert metrics.precision(prediction, reference) == 3 / 4


def test_perfect_prediction():
    mask = np.eye(4, dtype=bool)
    assert [getattr(metrics, name)(mask, mask) for name in OVERLAPS] == [1.0] * 5


def test_empty_masks():
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    assert metrics.dice(empty, full) == metrics.dice(full, empty) == 0
    assert metrics.sensitivity(empty, full) == metrics.precision(full, empty) == 0
    assert metrics.specificity(empty, empty) == 1
    for undefined in (
        metrics.dice(empty, empty),
        metrics.jaccard(empty, empty),
        metrics.sensitivity(full, empty),
        metrics.precision(empty, full),
        metrics.specificity(full, full),
    ):
        assert math.isnan(undefined)


@pytest.mark.parametrize("name", OVERLAPS)
def test_bad_masks_are_named(name):
    measure = getattr(metrics, name)
    mask = np.ones((3, 4), np.uint8)
    with pytest.raises(InputError, match=r"share a grid; got \(3, 4\) and \(3, 3\)"):
        measure(mask, mask[:, 1:])
    with pytest.raises(InputError, match="two or three dimensions and at least one"):
        measure(mask[0], mask[0])
    with pytest.raises(InputError, match="two or three dimensions and at least one"):
        measure(mask[:0], mask[:0])
    with pytest.raises(InputError, match="prediction must hold 0 and 1 alone; got 255"):
        measure(mask * 255, mask)
    with pytest.raises(InputError, match=r"reference must hold 0 and 1 .*; got 0.5"):
        measure(mask, mask * 0.5)
