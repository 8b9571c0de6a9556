import numpy as np
import pytest

from napari_microus.core.edit.curve import (
    FEWEST,
    MOST,
    curve_through,
    handles_of,
    mask_of,
    outline_of,
    push,
    resample,
)
from napari_microus.core.errors import InputError


def ellipse(shape=(120, 160), middle=(60, 80), radii=(35, 55)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return ((y - middle[0]) / radii[0]) ** 2 + ((x - middle[1]) / radii[1]) ** 2 <= 1


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def bean():
    return ellipse() & ~ellipse(middle=(108, 80), radii=(30, 30))


@pytest.mark.parametrize("mask", [ellipse(), bean(), ellipse(middle=(60, 10))])
def test_a_mask_comes_back_from_its_handles(mask):
    handles = handles_of(mask)
    assert FEWEST <= len(handles) <= MOST
    assert dice(mask_of(curve_through(handles), mask.shape), mask) > 0.995


def test_a_bean_needs_more_handles_than_an_ellipse():
    assert len(handles_of(bean())) > len(handles_of(ellipse()))


def test_four_handles_of_a_circle_give_nearly_a_circle():
    """By hand: moments are -3 times the values, half way lies (1 + 3/8) / 2 of both."""
    handles = np.array([[0, 20], [20, 0], [0, -20], [-20, 0]]) + 50.0
    radius = np.hypot(*(curve_through(handles) - 50).T)
    assert radius.max() == pytest.approx(20, abs=0.01)
    assert radius.min() == pytest.approx(20 * 0.6875 * 2**0.5, abs=0.01)


def test_an_outline_lies_half_a_pixel_outside_the_outermost_centres():
    mask = np.zeros((10, 12), bool)
    mask[3:6, 4:9] = True
    outline = outline_of(mask)
    assert outline.min(0).tolist() == [2.5, 3.5]
    assert outline.max(0).tolist() == [5.5, 8.5]


def test_points_outside_the_picture_are_cut_off():
    square = np.array([[-5.0, -5.0], [-5, 4.5], [4.5, 4.5], [4.5, -5]])
    assert mask_of(square, (10, 10)).sum() == 25


def test_a_push_moves_the_nearest_point_fully_and_the_far_side_not():
    curve = resample(outline_of(ellipse()), 360)
    top = curve[curve[:, 0].argmin()]
    moved = push(curve, tuple(top), (top[0] - 10, top[1]), reach=15)
    assert moved[:, 0].min() == pytest.approx(top[0] - 10, abs=0.3)
    assert moved[:, 0].max() == pytest.approx(curve[:, 0].max(), abs=0.01)


def test_an_empty_frame_and_two_handles_are_refused():
    with pytest.raises(InputError, match="must show a capsule"):
        handles_of(np.zeros((5, 5), bool))
    with pytest.raises(InputError, match="at least three handles; got 2"):
        curve_through(np.array([[0.0, 0], [5, 5], [5, 5]]))
