import numpy as np
import pytest

from napari_microus.core.compare.three_way import three_way
from napari_microus.core.events import drain


def row(*values):
    return np.array([[values]], np.uint8)


def test_every_pixel_says_with_whom_the_model_sides():
    model = row(0, 1, 1, 1, 1, 1)
    expert = row(0, 1, 0, 0, 0, 255)
    nonexpert = row(0, 0, 1, 0, 0, 1)
    probability = np.array([[[0.1, 0.6, 0.6, 0.6, 0.95, 0.9]]])
    found = drain(
        three_way(
            model, expert, nonexpert, (1, 1, 1), probability=probability, tolerance_mm=9
        )
    )
    assert found.codes.tolist() == [[[0, 1, 2, 3, 4, 0]]]
    assert found.nonexpert_share == pytest.approx(0.5)


def test_without_a_probability_nothing_is_called_confident():
    found = drain(three_way(row(1), row(0), row(0), (1, 1, 1)))
    assert found.codes.tolist() == [[[3]]]
    assert np.isnan(found.nonexpert_share)


def test_three_contours_far_apart_are_marked():
    y, x = np.indices((60, 60))
    radius = np.hypot(y - 30, x - 30)
    expert, model, nonexpert = (
        (radius <= r)[None].astype(np.uint8) for r in (10, 16, 22)
    )
    found = drain(three_way(model, expert, nonexpert, (1, 1, 1), tolerance_mm=2))
    on_contour = (radius > 15) & (radius < 16)
    assert (found.codes[0][on_contour] == 5).all()
    near = drain(three_way(model, expert, nonexpert, (1, 1, 1), tolerance_mm=7))
    assert not (near.codes == 5).any()
