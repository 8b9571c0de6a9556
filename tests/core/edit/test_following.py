"""Frames that follow others: interpolation, propagation, and the small tools."""

import numpy as np
import pytest

from napari_microus.core.edit import tools
from napari_microus.core.edit.distance import signed_distance
from napari_microus.core.edit.interpolate import interpolate
from napari_microus.core.edit.propagate import propagate
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.phantom import make_phantom


def disc(radius, middle=(60, 60), shape=(120, 120)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - middle[0], x - middle[1]) <= radius


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_between_two_discs_lie_discs():
    masks = np.zeros((5, 120, 120), bool)
    masks[0], masks[4] = disc(20, (50, 50)), disc(40, (70, 62))
    found = interpolate(masks, {0, 4})
    assert sorted(found) == [1, 2, 3]
    for frame, mask in found.items():
        part = frame / 4
        expected = disc(20 + 20 * part, (50 + 20 * part, 50 + 12 * part))
        assert dice(mask, expected) > 0.98


def test_where_the_gland_ends_it_ends_half_way():
    masks = np.zeros((5, 120, 120), bool)
    masks[0] = disc(20)
    found = interpolate(masks, {0, 4})
    assert [bool(found[k].any()) for k in (1, 2, 3)] == [True, False, False]


@pytest.mark.parametrize(
    ("drawn", "words"), [({3}, "at least two"), ({2, 3}, "neighbours alone")]
)
def test_too_few_frames_are_refused(drawn, words):
    with pytest.raises(InputError, match=words):
        interpolate(np.zeros((5, 4, 4), bool), drawn)


def test_signed_distance_counts_from_the_edge_of_the_pixels():
    mask = np.zeros((7, 9), bool)
    mask[2:5, 3:6] = True
    row = [-2.5, -1.5, -0.5, 0.5, 1.5, 0.5, -0.5, -1.5, -2.5]
    assert signed_distance(mask)[3].tolist() == row


def test_an_outline_follows_the_gland_of_a_phantom():
    phantom = make_phantom(5, frames=24, shape=(240, 343))
    truth, scan = phantom.expert.array == 1, phantom.scan.array
    start = 12
    found = drain(propagate(scan, truth[start], start, 18))
    assert found.stopped_at is None
    assert sorted(found.masks) == [13, 14, 15, 16, 17, 18]
    carried = np.mean([dice(m, truth[k]) for k, m in found.masks.items()])
    copied = np.mean([dice(truth[start], truth[k]) for k in found.masks])
    assert carried > 0.95
    assert carried > copied


def test_it_stops_where_the_picture_is_another():
    phantom = make_phantom(5, frames=24, shape=(240, 343))
    scan = phantom.scan.array.copy()
    draw = np.random.default_rng(0)
    scan[15:] = draw.integers(0, 255, scan[15:].shape)
    found = drain(propagate(scan, phantom.expert.array[12] == 1, 12, 20))
    assert found.stopped_at == 15
    assert sorted(found.masks) == [13, 14]
    assert "stopped before frame 15" in found.sentence


def test_an_outline_cannot_be_carried_nowhere():
    scan = np.zeros((3, 40, 40), np.uint8)
    with pytest.raises(InputError, match="another frame of 0 to 2; got 1 to 1"):
        drain(propagate(scan, disc(10, (20, 20), (40, 40)), 1, 1))


def test_growing_by_millimetres_counts_the_pixels_size():
    grown = tools.grow(disc(20), 1.0, (0.25, 0.25))
    assert dice(grown, disc(24)) > 0.97
    assert np.flatnonzero(grown[60]).size == 41 + 8
    shrunk = tools.grow(disc(20), -1.0, (0.25, 0.25))
    assert dice(shrunk, disc(16)) > 0.97
    assert np.flatnonzero(shrunk[60]).size == pytest.approx(41 - 8, abs=2)
    wide = tools.grow(disc(20), 1.0, (0.5, 0.25))
    assert np.flatnonzero(wide.any(1)).size == pytest.approx(41 + 4, abs=1)
    assert np.flatnonzero(wide.any(0)).size == pytest.approx(41 + 8, abs=1)


def test_smoothing_closes_a_notch_and_moves_nothing_else():
    notched = disc(30)
    notched[58:63, 75:] = False
    found = tools.smooth(notched)
    assert found[60, 80]
    assert dice(found, disc(30)) > 0.985


def test_holes_and_smaller_pieces_go():
    mask = disc(20)
    mask[60, 60] = False
    mask[5:8, 5:8] = True
    assert tools.fill(mask)[60, 60]
    assert not tools.largest(mask)[5:8, 5:8].any()
    assert not tools.largest(np.zeros((4, 4), bool)).any()


def test_smoothing_keeps_a_gland_that_the_border_cuts():
    cut = disc(40, (60, 5))
    found = tools.smooth(cut)
    assert dice(found, cut) > 0.97
    assert found[60, 0]


def discs(*radii):
    y, x = np.mgrid[:80, :80]
    return np.stack([np.hypot(y - 40, x - 40) <= radius for radius in radii])


def sees(radius):
    """A model that sees a disc, by two log-odds a pixel."""
    y, x = np.mgrid[:80, :80]
    return 1 / (1 + np.exp(2 * (np.hypot(y - 40, x - 40) - radius)))


def test_between_neighbours_the_shapes_decide_and_far_apart_the_model():
    near = interpolate(discs(20, 0, 21), {0, 2}, {1: sees(26)})[1]
    assert np.sqrt(near.sum() / np.pi) == pytest.approx(
        20.7 + 4 / 5, abs=0.4
    )  # at most 4 log-odds
    far = interpolate(discs(12, 0, 30), {0, 2}, {1: sees(26)})[1]
    # Distances worth 5 / 18 log-odds a pixel about 21, the model's 2 about 26.
    expected = (5 / 18 * 21 + 2 * 26) / (5 / 18 + 2)
    assert np.sqrt(far.sum() / np.pi) == pytest.approx(expected, abs=0.5)


def test_a_model_at_a_loss_and_one_that_is_not_asked_leave_the_shapes():
    masks = discs(12, 0, 0, 30)
    lost = np.full((80, 80), 0.5)
    by_shape = interpolate(masks, {0, 3})
    again = interpolate(masks, {0, 3}, {1: lost})
    assert all(np.array_equal(by_shape[k], again[k]) for k in (1, 2))


def test_what_speckle_makes_of_the_models_doubt_is_no_second_piece():
    spotted = sees(20)
    spotted[5:9, 5:9] = 1.0
    spotted[38:41, 38:41] = 0.0
    found = interpolate(discs(20, 0, 28), {0, 2}, {1: spotted})[1]
    assert not found[:12, :12].any()
    assert found[40, 40]


def test_frames_that_the_gland_fills_are_interpolated_too():
    full = np.ones((3, 20, 20), bool)
    found = interpolate(full, {0, 2}, {1: np.full((20, 20), 0.5)})[1]
    assert found.all()
